"""A folder of mitmproxy's with a CA of somebody's own, good or not."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


def make_confdir(
    folder: Path, *, critical: bool = True, usage: bool = True, named: bool = True, days: int = 30
) -> Path:
    """Makes one.

    Args:
        folder: Where to.
        critical: The CA's basicConstraints are.
        usage: It has a keyUsage.
        named: It has a subjectKeyIdentifier.
        days: How long it is valid; below zero: it isn't any more.
    """
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Company")])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=100))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical)
    )
    if usage:
        signs = dict.fromkeys(("key_cert_sign", "crl_sign"), True)
        others = ["digital_signature", "content_commitment", "key_encipherment"]
        others += ["data_encipherment", "key_agreement", "encipher_only", "decipher_only"]
        builder = builder.add_extension(
            x509.KeyUsage(**signs, **dict.fromkeys(others, False)), critical=True
        )
    if named:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    folder.mkdir()
    (folder / "mitmproxy-ca.pem").write_bytes(private + pem)
    (folder / "mitmproxy-ca-cert.pem").write_bytes(pem)
    return folder
