"""The envelope around what is stored encrypted: AES-256-GCM with named keys. Pure.

Layout: `WGS` and a version byte (2), the length of the key's id in one byte, the id, a nonce of 12
bytes, the ciphertext with its tag of 16 bytes. Everything before the nonce and the context (whose
data it is) are authenticated too, so a copy put in another session's place does not open.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway_worker.errors import PermanentError

KEY_BYTES: Final = 32
_FORMAT: Final = 2
_MAGIC: Final = b"WGS" + bytes((_FORMAT,))
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class UnreadableError(PermanentError):
    """An envelope cannot be opened: damaged, for somebody else, or under a key we do not have."""


class Keyring:
    """Keys by id; the first one encrypts, all of them decrypt.

    Args:
        keys: At least one, of 32 bytes each.

    Raises:
        ValueError: There is no key, or an id or a length is wrong; no key is shown.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("no key is given")
        for key_id, key in keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise ValueError("a key's id has 1 to 64 letters, digits, dots, _ or -")
            if len(key) != KEY_BYTES:
                raise ValueError(f"the key {key_id!r} has {len(key)} bytes instead of {KEY_BYTES}")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._sealing_id = next(iter(keys))

    def __repr__(self) -> str:
        """Show the ids only."""
        return f"Keyring({', '.join(self._ciphers)})"

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Read `id:base64[,id2:base64]`. Raises ValueError, which shows no key."""
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(text.split(","), start=1):
            key_id, colon, encoded = entry.strip().partition(":")
            if not colon or not _KEY_ID.fullmatch(key_id):
                raise ValueError(f"entry {number} is not of the form id:base64")
            if key_id in keys:
                raise ValueError(f"the key id {key_id!r} is there twice")
            try:
                keys[key_id] = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise ValueError(f"the key {key_id!r} is not base64") from None
        return cls(keys)

    @property
    def sealing_id(self) -> str:
        """The id of the key that encrypts."""
        return self._sealing_id

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt under the first key; `context` says whose data it is and is needed to open."""
        key_id = self._sealing_id.encode()
        header = _MAGIC + bytes((len(key_id),)) + key_id
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = self._ciphers[self._sealing_id]
        return header + nonce + cipher.encrypt(nonce, plain, header + context.encode())

    def open(self, envelope: bytes, *, context: str) -> bytes:
        """Decrypt what `seal` made under any of the keys. Raises `UnreadableError`."""
        header, key_id = _header_of(envelope)
        body = envelope[len(header) :]
        if len(body) < _NONCE_BYTES + _TAG_BYTES:
            raise UnreadableError("the envelope is cut off")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            known = key_id if _KEY_ID.fullmatch(key_id) else "?"
            raise UnreadableError(f"it is encrypted under the key {known!r}, which is not given")
        nonce, sealed = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, header + context.encode())
        except InvalidTag:
            raise UnreadableError("the envelope is damaged, or it is not for this use") from None


def key_id_of(envelope: bytes) -> str:
    """Return the id of the key that an envelope is under. Raises `UnreadableError`."""
    return _header_of(envelope)[1]


def _header_of(envelope: bytes) -> tuple[bytes, str]:
    if not envelope.startswith(_MAGIC[:-1]) or len(envelope) < len(_MAGIC):
        raise UnreadableError("it is no envelope")
    if (version := envelope[len(_MAGIC) - 1]) != _FORMAT:
        raise UnreadableError(
            f"it is an envelope of format {version}; this release reads {_FORMAT}"
        )
    id_start = len(_MAGIC) + 1
    id_length = envelope[len(_MAGIC)] if len(envelope) > len(_MAGIC) else 0
    header = envelope[: id_start + id_length]
    return header, header[id_start:].decode("ascii", errors="replace")
