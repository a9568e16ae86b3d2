"""Decrypts a file as it comes, and checks that it is what its message says. Pure.

On the wire a file is AES-256-CBC with PKCS#7 padding, followed by ten bytes of HMAC-SHA256 over the
initialisation vector and the ciphertext. Vector and keys are derived from the message's key. The
message has the hashes of both forms, and the length of the plain one.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

from gateway_worker.errors import MediaRefusedError
from gateway_worker.host_protocol.media import HASH_BYTES, KEY_BYTES, MediaReference, MediaType

MAC_BYTES: Final = 10
_BLOCK_BYTES: Final = 16
_DERIVED_BYTES: Final = 112
_INFO: Final[Mapping[MediaType, bytes]] = {
    MediaType.IMAGE: b"WhatsApp Image Keys",
    MediaType.VIDEO: b"WhatsApp Video Keys",
    MediaType.AUDIO: b"WhatsApp Audio Keys",
    MediaType.DOCUMENT: b"WhatsApp Document Keys",
}
"""What keys are derived for."""


class DamagedTransferError(MediaRefusedError):
    """What came is not what its sender has uploaded; it may be when it comes the next time."""


class Decryption:
    """One file. Calls may come from different threads, one after the other.

    Args:
        reference: What the message says of the file.

    Raises:
        MediaRefusedError: What it says cannot be true of any file.
    """

    def __init__(self, reference: MediaReference) -> None:
        if len(reference.media_key) != KEY_BYTES:
            raise MediaRefusedError("the message has no key for its file")
        if len(reference.file_sha256) != HASH_BYTES:
            raise MediaRefusedError("the message has no hash of its file")
        derived = HKDF(
            algorithm=SHA256(), length=_DERIVED_BYTES, salt=None, info=_INFO[reference.media_type]
        ).derive(reference.media_key)
        vector, key, mac_key = derived[:16], derived[16:48], derived[48:80]
        self._reference = reference
        self._cipher = Cipher(AES256(key), CBC(vector)).decryptor()
        self._unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
        self._mac = hmac.new(mac_key, vector, hashlib.sha256)
        self._whole = hashlib.sha256()
        self._plain = hashlib.sha256()
        self._tail = b""
        self._came = 0
        self.size_bytes = 0

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece of the ciphertext; returns what can be told of the plain file."""
        self._whole.update(piece)
        self._came += len(piece)
        held = self._tail + piece
        cipher, self._tail = held[:-MAC_BYTES], held[-MAC_BYTES:]
        self._mac.update(cipher)
        return self._note(self._unpadder.update(self._cipher.update(cipher)))

    def finish(self) -> bytes:
        """Return the rest of the plain file, after all checks.

        Raises:
            DamagedTransferError: What came is not the encrypted file that the message is about.
            MediaRefusedError: It is, and not the file that it says.
        """
        expected = self._reference
        if self._came <= MAC_BYTES:
            raise DamagedTransferError("the file is too short")
        if expected.file_enc_sha256 and not _same(self._whole.digest(), expected.file_enc_sha256):
            raise DamagedTransferError("the hash of the encrypted file does not match")
        if not _same(self._mac.digest()[:MAC_BYTES], self._tail):
            raise MediaRefusedError("the file's authentication code does not match")
        try:
            rest = self._unpadder.update(self._cipher.finalize()) + self._unpadder.finalize()
        except ValueError as error:
            raise MediaRefusedError("the file's padding is wrong") from error
        self._note(rest)
        if not _same(self._plain.digest(), expected.file_sha256):
            raise MediaRefusedError("the hash of the file does not match")
        if expected.file_length and expected.file_length != self.size_bytes:
            raise MediaRefusedError("the file does not have the length that its message says")
        return rest

    def _note(self, plain: bytes) -> bytes:
        self._plain.update(plain)
        self.size_bytes += len(plain)
        return plain


def encrypted_bytes(plain_bytes: int) -> int:
    """Return how large a file is on the wire."""
    return (plain_bytes // _BLOCK_BYTES + 1) * _BLOCK_BYTES + MAC_BYTES


def _same(found: bytes, expected: bytes) -> bool:
    return hmac.compare_digest(found, expected)
