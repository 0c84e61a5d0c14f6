# The proxy in a container, for an office or as a service of CI jobs:
#
#   docker build -f server.Dockerfile --build-arg CACHY=cachy-VERSION.whl -t cachy .
#   docker run -d -p 127.0.0.1:8080:8080 -v cachy-tree:/var/cache/cachy -v cachy-ca:/var/lib/cachy cachy
#
# Whoever reaches the port uses the proxy: publish it to your own network alone.
FROM python:3.13-slim
# The wheel, beside this file: `pip wheel --no-deps --wheel-dir . PATH-OF-A-CLONE` makes it.
ARG CACHY
COPY ${CACHY} /tmp/
RUN pip install --no-cache-dir "/tmp/$(basename "$CACHY")" \
    && useradd --system --home-dir /var/lib/cachy --create-home cachy \
    && install -d -o cachy -g cachy /var/cache/cachy
USER cachy
ENV CACHY_DIR=/var/cache/cachy
# The tree; and the CA, whose key stays in there.
VOLUME ["/var/cache/cachy", "/var/lib/cachy"]
EXPOSE 8080
HEALTHCHECK CMD ["python", "-c", "from urllib.request import Request, urlopen; urlopen(Request('http://127.0.0.1:8080/status', headers={'Host': 'cachy.internal'}))"]
# `docker stop` kills after ten seconds, unless it is told otherwise (--time).
CMD ["cachy", "serve", "--host", "0.0.0.0", "--grace", "8s"]
