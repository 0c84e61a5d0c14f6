"""curl and wget, which fetch single files."""

from pathlib import Path

from support.wire import Target

from .run import Run, clean_env, run


class Curl:
    """curl, by the variables `https_proxy`, `http_proxy` and `CURL_CA_BUNDLE`."""

    def __init__(self, proxy: Target, home: Path) -> None:
        self.home = home
        url = f"http://{proxy.host}:{proxy.port}"
        ca = {"CURL_CA_BUNDLE": str(proxy.ca_pem)}
        self.env = clean_env(home) | {"http_proxy": url, "https_proxy": url} | ca

    def __call__(self, *words: str | Path) -> Run:
        """Run it; it fails where the answer is an error."""
        return run(["curl", "-sSf", *words], self.env, self.home)


class Wget:
    """wget, by the variables `https_proxy` and `http_proxy`, and its wgetrc."""

    def __init__(self, proxy: Target, home: Path) -> None:
        self.home = home
        url = f"http://{proxy.host}:{proxy.port}"
        self.env = clean_env(home) | {"http_proxy": url, "https_proxy": url}
        (home / ".wgetrc").write_text(f"ca_certificate = {proxy.ca_pem}\n")

    def __call__(self, *words: str | Path) -> Run:
        """Run it, in its home, once: it would try twenty times."""
        return run(["wget", "--no-verbose", "--tries=1", *words], self.env, self.home)
