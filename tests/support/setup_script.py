"""`setup.sh` as the proxy serves it."""

from importlib.resources import files
from pathlib import Path


def setup_script(ca_pem: Path, host: str = "cachy.internal") -> str:
    """Fills in the template.

    Args:
        ca_pem: The CA's certificate.
        host: Where the proxy answers for itself.
    """
    template = files("cachy").joinpath("setup.sh").read_text()
    filled = template.replace("@CA@", ca_pem.read_text().strip())
    return filled.replace("@HOST@", host).replace("@VERSION@", "0")
