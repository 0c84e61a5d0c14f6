"""The root certificates for clients: the system's and the proxy's CA, in one file."""

import base64
import binascii
import re
import ssl
from pathlib import Path

import certifi

from cachy._core import system_ca_bundle

#: A certificate (RFC 7468 section 5). ``TRUSTED CERTIFICATE`` is left out: it may mark distrust.
BLOCK = re.compile(
    r"-----BEGIN (X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END \1?CERTIFICATE-----"
)


def bundle(ca: str) -> str:
    """Joins the system's roots and the proxy's CA: PEM blocks and nothing else, each once.

    Some clients fail on comments, on bytes that are not ASCII, or on a malformed block.

    Args:
        ca: The proxy's CA, PEM.

    Raises:
        ValueError: The proxy's CA is no certificate.
    """
    ours = certificates(ca)
    if not ours:
        raise ValueError("what the proxy has for a CA is no certificate in PEM")
    return "".join(dict.fromkeys(certificates(system()) + ours))


def system() -> str:
    """Reads the system's file of roots; certifi's if there is none."""
    try:
        text = Path(system_ca_bundle() or certifi.where()).read_text("utf-8", errors="replace")
    except OSError:  # SSL_CERT_FILE names one that this user can't read.
        text = ""
    return text if BLOCK.search(text) else Path(certifi.where()).read_text("utf-8")


def certificates(text: str) -> list[str]:
    """Finds the well-formed certificates in a text: each as PEM with lines of 64 characters."""
    found = []
    # Refuses what is not a whole certificate.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for _, body in BLOCK.findall(text):
        try:
            der = base64.b64decode("".join(body.split()), validate=True)
            context.load_verify_locations(cadata=der)
        except (binascii.Error, ssl.SSLError):
            continue
        found.append(ssl.DER_cert_to_PEM_cert(der))
    return found
