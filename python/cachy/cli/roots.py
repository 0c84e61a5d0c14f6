"""The roots that clients are given: the system's and the proxy's CA, in one file."""

import base64
import binascii
import re
import ssl
from pathlib import Path

import certifi

from cachy._core import system_ca_bundle

#: A certificate (RFC 7468 section 5). ``TRUSTED CERTIFICATE`` is none: it may say that it is distrusted.
BLOCK = re.compile(
    r"-----BEGIN (X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END \1?CERTIFICATE-----"
)


def bundle(ca: str) -> str:
    """The roots that this system trusts, and one more: blocks of PEM and nothing else, each once.

    Some clients stumble over a comment, over bytes that are no ASCII, or over a block that is broken.

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
    """The file of roots that this system trusts, as it is; certifi's where there is none."""
    try:
        text = Path(system_ca_bundle() or certifi.where()).read_text(errors="replace")
    except OSError:  # Somebody else's alone, by SSL_CERT_FILE.
        text = ""
    return text if BLOCK.search(text) else Path(certifi.where()).read_text()


def certificates(text: str) -> list[str]:
    """The certificates in a file, each as PEM in lines of 64 characters; broken ones are left out."""
    found = []
    # Made for what it refuses: what is no certificate, or half of one.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for _, body in BLOCK.findall(text):
        try:
            der = base64.b64decode("".join(body.split()), validate=True)
            context.load_verify_locations(cadata=der)
        except (binascii.Error, ssl.SSLError):
            continue
        found.append(ssl.DER_cert_to_PEM_cert(der))
    return found
