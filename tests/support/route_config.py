"""mitmproxy's configuration file for a proxy that a command starts by itself."""

from pathlib import Path

ROUTE = Path(__file__).with_name("route.py")


def configure(home: Path, upstream_ca: Path) -> None:
    """Has every mitmproxy of that home use the tests' name service and trust the tests' origin.

    Args:
        home: What is ``$HOME`` for it.
        upstream_ca: The CA of the origin, as PEM.
    """
    confdir = home / ".mitmproxy"
    confdir.mkdir(parents=True)
    (confdir / "config.yaml").write_text(
        f"scripts: [{ROUTE}]\nssl_verify_upstream_trusted_ca: {upstream_ca}\n"
    )
