"""Keys and certificates of servers that are paired.

Theory of operation. Two servers that are paired know each other's public key, told from hand to
hand as a short code (`cccamd pair`), so nobody has to vouch for either. TLS however wants each
certificate signed by somebody whom the other side trusts, and Python's `ssl` has no way to
decide otherwise during the handshake. So all certificates are signed by one formal signer whose
secret number is 1: everybody has it, and its signature says nothing. TLS then proves that the
peer has the secret key of the certificate it shows (its signature over the handshake, which no
setting turns off), and which key that is, is compared with the paired ones before a byte of the
protocol inside is read or written (`net/tls.py`). No date counts: they span all years.
"""

from datetime import datetime
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from cccamd.wire.keycodes import KeyCode, key_code

_CURVE: Final = ec.SECP256R1()
_SIGNER: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anybody")])
_SUBJECT: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cccamd")])
_FIRST_DAY: Final = datetime(1950, 1, 1)
"""The first that X.509 can say; a clock that is wrong must not end a link."""
_LAST_DAY: Final = datetime(9999, 12, 31, 23, 59, 59)
"""RFC 5280 section 4.1.2.5: no end."""


def make_key() -> bytes:
    """Make a new key: the secret key and its certificate, both as PEM."""
    key = ec.generate_private_key(_CURVE)
    certificate = _sign(_SUBJECT, key.public_key(), is_signer=False)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + certificate.public_bytes(Encoding.PEM)


@cache
def formal_signer() -> bytes:
    """The certificate (DER) of the signer that everybody can sign as."""
    return _sign(_SIGNER, _formal_key().public_key(), is_signer=True).public_bytes(Encoding.DER)


def code_of(certificate: bytes) -> KeyCode:
    """The code of the key of a certificate, PEM or DER.

    Raises:
        ValueError: this is no certificate.
    """
    is_text = b"-----BEGIN CERTIFICATE" in certificate
    load = x509.load_pem_x509_certificate if is_text else x509.load_der_x509_certificate
    public = load(certificate).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key_code(spki)


def _formal_key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1, _CURVE)


def _sign(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_signer: bool
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_SIGNER)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FIRST_DAY)
        .not_valid_after(_LAST_DAY)
        .add_extension(x509.BasicConstraints(ca=is_signer, path_length=None), critical=True)
        .sign(_formal_key(), SHA256())
    )
