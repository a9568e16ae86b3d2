"""Throw-away trust: a TLS authority with one server certificate, and the root of the Noise chain.

Both exist for the life of one sandbox. A client joins by trusting the authority (`SSL_CERT_FILE`)
and by having the root's public key in place of the service's.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway_worker.sandbox.protobuf import build_messages
from gateway_worker.sandbox.signal.xeddsa import sign
from gateway_worker.sandbox.wire.noise import NoiseIdentity

if TYPE_CHECKING:
    from pathlib import Path

SERVER_NAMES: Final = (
    "web.whatsapp.com",
    "*.whatsapp.com",
    "mmg.whatsapp.net",
    "*.whatsapp.net",
)
VALID_FOR: Final = timedelta(days=30)
CLOCK_SLACK: Final = timedelta(hours=1)

_MESSAGES: Final = build_messages(
    "sandbox.certs",
    {
        "Details": {
            "serial": (1, "uint32"),
            "issuer_serial": (2, "uint32"),
            "key": (3, "bytes"),
            "not_before": (4, "uint64"),
            "not_after": (5, "uint64"),
        },
        "Certificate": {"details": (1, "bytes"), "signature": (2, "bytes")},
        "CertChain": {"leaf": (1, "Certificate"), "intermediate": (2, "Certificate")},
    },
)
CertChain = _MESSAGES["CertChain"]
CertDetails = _MESSAGES["Details"]

_INTERMEDIATE_SERIAL: Final = 1
_LEAF_SERIAL: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """All that a server needs and all that its clients must trust.

    Attributes:
        noise: the server's Noise key and chain.
        root_key: 32 bytes, the public key that clients must take for the service's root.
        ca_file: PEM file of the TLS authority.
        tls: context of the TLS server.
    """

    noise: NoiseIdentity
    root_key: bytes
    ca_file: Path
    tls: ssl.SSLContext


def create_trust(directory: Path) -> Trust:
    """Make new keys and certificates.

    Args:
        directory: where `ca.pem` (to be trusted) and `server.pem` (with the private key, mode 0600)
            are written.

    Raises:
        OSError: the directory cannot be written.
    """
    now = datetime.now(UTC)
    ca_file = directory / "ca.pem"
    server_file = directory / "server.pem"
    authority, server = _tls_certificates(now)
    ca_file.write_bytes(authority)
    server_file.touch(mode=0o600)
    server_file.write_bytes(server)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(server_file)
    root = X25519PrivateKey.generate()
    static = X25519PrivateKey.generate()
    return Trust(
        noise=NoiseIdentity(static=static, cert_chain=_noise_chain(root, static, now)),
        root_key=root.public_key().public_bytes_raw(),
        ca_file=ca_file,
        tls=tls,
    )


def _noise_chain(root: X25519PrivateKey, static: X25519PrivateKey, now: datetime) -> bytes:
    intermediate = X25519PrivateKey.generate()
    chain = CertChain()
    for certificate, serial, issuer_serial, key, issuer in (
        (chain.intermediate, _INTERMEDIATE_SERIAL, 0, intermediate, root),
        (chain.leaf, _LEAF_SERIAL, _INTERMEDIATE_SERIAL, static, intermediate),
    ):
        details = CertDetails(
            serial=serial,
            issuer_serial=issuer_serial,
            key=key.public_key().public_bytes_raw(),
            not_before=int((now - CLOCK_SLACK).timestamp()),
            not_after=int((now + VALID_FOR).timestamp()),
        ).SerializeToString()
        certificate.details = details
        certificate.signature = sign(
            issuer.private_bytes_raw(), issuer.public_key().public_bytes_raw(), details
        )
    return bytes(chain.SerializeToString())


def _tls_certificates(now: datetime) -> tuple[bytes, bytes]:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "WhatsApp sandbox authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SERVER_NAMES[0])])
    key_of_ca = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    issued_by_ca = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_of_ca)
    ca = (
        _certificate(ca_name, ca_name, ca_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(issued_by_ca, critical=False)
        .sign(ca_key, SHA256())
    )
    leaf = (
        _certificate(name, ca_name, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(issued_by_ca, critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(item) for item in SERVER_NAMES]),
            critical=False,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return ca.public_bytes(Encoding.PEM), private + leaf.public_bytes(Encoding.PEM)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return what a key may be used for; strict clients (RFC 5280) want it said."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
