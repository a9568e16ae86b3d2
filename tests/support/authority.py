"""Private authorities that sign certificates, as whoever runs services of their own has one."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway_worker.devkit.services.loopback import LOOPBACK

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where one side's certificates are: whom it trusts, what it shows, and its key."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def below(cls, directory: Path) -> "Files":
        """Return files of a directory, which is made."""
        directory.mkdir(exist_ok=True)
        return cls(
            ca=directory / "ca.pem",
            certificate=directory / "certificate.pem",
            key=directory / "key.pem",
        )


class Authority:
    """An authority of a test's own.

    Args:
        name: What it calls itself.
    """

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._of_key = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self.certificate = (
            self._begun(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self._key, SHA256())
        )

    def write(
        self, files: Files, *, host: str = LOOPBACK, trusts: "Authority | None" = None
    ) -> None:
        """Replace one side's files, each at once, with a new certificate of this authority.

        Args:
            files: Where.
            host: Who is shown by the certificate: an address.
            trusts: Whom that side trusts; by default this authority.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
        shown = (
            self._begun(subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(host))]), critical=False
            )
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .sign(self._key, SHA256())
        )
        _replace(files.ca, (trusts or self).certificate.public_bytes(Encoding.PEM))
        _replace(files.certificate, shown.public_bytes(Encoding.PEM))
        _replace(files.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def _begun(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._of_key)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(issued_by, critical=False)
        )


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    draft.chmod(0o600)
    owner = path.parent.stat()
    os.chown(draft, owner.st_uid, owner.st_gid)
    draft.replace(path)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
