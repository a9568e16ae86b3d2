"""Files as phones leave them at WhatsApp, made step by step as the protocol has it."""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from gateway_worker.host_protocol.media import MediaReference, MediaType

_NAMES = {
    MediaType.IMAGE: b"Image",
    MediaType.VIDEO: b"Video",
    MediaType.AUDIO: b"Audio",
    MediaType.DOCUMENT: b"Document",
}


def encrypted(
    plain: bytes,
    *,
    media_type: MediaType = MediaType.IMAGE,
    key: bytes | None = None,
    thumbnail: bytes | None = None,
) -> tuple[bytes, MediaReference]:
    """Return what is at WhatsApp, and what a message says of it."""
    key = secrets.token_bytes(32) if key is None else key
    derived = _expanded(key, b"WhatsApp %b Keys" % _NAMES[media_type], 112)
    vector, cipher_key, mac_key = derived[:16], derived[16:48], derived[48:80]
    padding = 16 - len(plain) % 16
    cipher = Cipher(AES256(cipher_key), CBC(vector)).encryptor()
    ciphertext = cipher.update(plain + bytes([padding]) * padding) + cipher.finalize()
    mac = hmac.digest(mac_key, vector + ciphertext, "sha256")[:10]
    body = ciphertext + mac
    digest = hashlib.sha256(body)
    return body, MediaReference(
        media_type=media_type,
        direct_path=f"/v/t62.7118-24/{digest.hexdigest()[:24]}?ccb=11-4&oe=0",
        media_key=key,
        file_enc_sha256=digest.digest(),
        file_sha256=hashlib.sha256(plain).digest(),
        file_length=len(plain),
        thumbnail=thumbnail,
    )


def _expanded(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869) with a salt of zeros."""
    pseudorandom = hmac.digest(bytes(32), key, "sha256")
    block, expanded = b"", b""
    for number in range(1, 256):
        block = hmac.digest(pseudorandom, block + info + bytes([number]), "sha256")
        expanded += block
        if len(expanded) >= length:
            break
    return expanded[:length]
