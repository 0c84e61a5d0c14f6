# An image that is built behind a proxy which runs on this machine (`cachy serve`):
#
#   P=http://127.0.0.1:8080
#   docker build --network host --build-arg http_proxy=$P --build-arg https_proxy=$P -f client.Dockerfile .
#
# The two arguments are Docker's own: every RUN sees them, and no image keeps them.
FROM debian:bookworm-slim
# apt needs no certificate for this; curl is there from here on.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl python3-pip \
    && curl -fsS http://cachy.internal/setup.sh | sh

# Yours.
COPY requirements.txt .
RUN pip install --break-system-packages -r requirements.txt

# The image trusts what it trusted before.
RUN sh /usr/local/share/cachy/undo.sh
