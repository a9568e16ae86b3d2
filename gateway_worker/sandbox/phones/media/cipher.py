"""The encryption of files: AES-256-CBC, then ten bytes of an HMAC; three hashes prove the rest.

HKDF of the file's own key gives initialization vector, cipher key and MAC key.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from gateway_worker.sandbox.hkdf import hkdf
from gateway_worker.sandbox.phones.errors import MediaDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEY_BYTES: Final = 32
MAC_BYTES: Final = 10
_BLOCK_BITS: Final = 128
_EXPANDED_BYTES: Final = 112


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHashes:
    """What a message announces of a file, to be checked by whoever downloads it.

    Attributes:
        sha256: of the plain file.
        enc_sha256: of what is uploaded.
        size: bytes of the plain file.
    """

    sha256: bytes
    enc_sha256: bytes
    size: int


class Sealer:
    """Encrypts one file; `hashes` holds once `pieces` has run to its end."""

    def __init__(self, *, media_key: bytes, key_info: bytes) -> None:
        self._keys = _Keys(media_key, key_info)
        self._plain_hash, self._sealed_hash = hashlib.sha256(), hashlib.sha256()
        self._size = 0

    def pieces(self, plain: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what is to be uploaded."""
        padder = PKCS7(_BLOCK_BITS).padder()
        cipher = self._keys.cipher.encryptor()
        mac = self._keys.mac()
        for piece in plain:
            self._plain_hash.update(piece)
            self._size += len(piece)
            sealed = cipher.update(padder.update(piece))
            mac.update(sealed)
            yield self._hashed(sealed)
        last = cipher.update(padder.finalize()) + cipher.finalize()
        mac.update(last)
        yield self._hashed(last + mac.digest()[:MAC_BYTES])

    @property
    def hashes(self) -> FileHashes:
        """What a message announces."""
        return FileHashes(
            sha256=self._plain_hash.digest(),
            enc_sha256=self._sealed_hash.digest(),
            size=self._size,
        )

    def _hashed(self, sealed: bytes) -> bytes:
        self._sealed_hash.update(sealed)
        return sealed


class Opener:
    """Decrypts one file and checks it against what its message announces."""

    def __init__(self, *, media_key: bytes, key_info: bytes, announced: FileHashes) -> None:
        self._keys = _Keys(media_key, key_info)
        self._announced = announced

    def pieces(self, sealed: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the plain file; it is good only if this runs to its end.

        Raises:
            MediaDamagedError: it is not what was announced.
        """
        sealed_hash, plain_hash, mac = hashlib.sha256(), hashlib.sha256(), self._keys.mac()
        cipher, padder = self._keys.cipher.decryptor(), PKCS7(_BLOCK_BITS).unpadder()
        held, size, whole = b"", 0, 0
        for piece in sealed:
            sealed_hash.update(piece)
            whole += len(piece)
            held += piece
            body, held = held[:-MAC_BYTES], held[-MAC_BYTES:]
            mac.update(body)
            plain = padder.update(cipher.update(body))
            plain_hash.update(plain)
            size += len(plain)
            yield plain
        if whole <= MAC_BYTES:
            raise MediaDamagedError("too_short")
        if sealed_hash.digest() != self._announced.enc_sha256:
            raise MediaDamagedError("file_enc_sha256")
        if not hmac.compare_digest(mac.digest()[:MAC_BYTES], held):
            raise MediaDamagedError("mac")
        try:
            plain = padder.update(cipher.finalize()) + padder.finalize()
        except ValueError:
            raise MediaDamagedError("padding") from None
        plain_hash.update(plain)
        if plain_hash.digest() != self._announced.sha256:
            raise MediaDamagedError("file_sha256")
        if size + len(plain) != self._announced.size:
            raise MediaDamagedError("file_length")
        yield plain


class _Keys:
    """What is derived from a file's key."""

    def __init__(self, media_key: bytes, key_info: bytes) -> None:
        expanded = hkdf(secret=media_key, info=key_info, length=_EXPANDED_BYTES)
        self._iv, key, self._mac_key = expanded[:16], expanded[16:48], expanded[48:80]
        self.cipher = Cipher(AES256(key), CBC(self._iv))

    def mac(self) -> hmac.HMAC:
        """Return a MAC that has taken the initialization vector."""
        return hmac.new(self._mac_key, self._iv, hashlib.sha256)
