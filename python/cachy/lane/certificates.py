"""Certificates for the lane: signed by mitmproxy's CA, with an elliptic key, which signs a handshake in a
fraction of the time that RSA takes.
"""

import datetime
import ipaddress
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from mitmproxy.certs import CERT_EXPIRY, CertStore
from OpenSSL import crypto

#: Names whose certificates are kept.
KEPT = 1000
#: Clocks of clients may be behind.
BACK = datetime.timedelta(days=2)
#: Characters that a common name may have (RFC 5280 appendix A.1).
COMMON_NAME = 64


class Certificates:
    """Those of one CA."""

    def __init__(self, store: CertStore) -> None:
        self.signer = store.default_privatekey
        self.authority = x509.load_pem_x509_certificate(store.default_ca.to_pem())
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.private = crypto.PKey.from_cryptography_key(self.key)
        self.of = lru_cache(KEPT)(self.make)

    def make(self, *names: str) -> crypto.X509:
        """A certificate for names or addresses, the first of which is its common name.

        Args:
            names: As clients know the server; there has to be one.

        Raises:
            ValueError: A name can't be one.
        """
        authority = self.authority
        common = names[0] if len(names[0]) < COMMON_NAME else None
        subject = [] if common is None else [x509.NameAttribute(NameOID.COMMON_NAME, common)]
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .issuer_name(authority.subject)
            .subject_name(x509.Name(subject))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACK)
            .not_valid_after(now + CERT_EXPIRY)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            # Critical where there is no subject (RFC 5280 section 4.2.1.6).
            .add_extension(
                x509.SubjectAlternativeName([general(name) for name in names]),
                critical=not subject,
            )
            .add_extension(issued_by(authority), critical=False)
            .sign(self.signer, hashes.SHA256())
        )
        return crypto.X509.from_cryptography(made)


def issued_by(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """How the certificate names its issuer's key (RFC 5280 section 4.2.1.1)."""
    try:
        found = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        key = authority.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def general(name: str) -> x509.GeneralName:
    """A name or an address as certificates have it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())
