"""What is encrypted with the secret of another message: votes, and what newer apps hide so.

The key is made of that secret, of the other message's id and writer, of who encrypts, and of what
for. Whether people are in it by number or by LID is up to the device that encrypts.
"""

import hmac
from typing import Final

from gateway_worker.whatsapp.convert.aes_gcm import decrypt

_HASH: Final = "sha256"
_FIRST_BLOCK: Final = b"\x01"


def decrypted(
    payload: bytes,
    iv: bytes,
    *,
    secret: bytes,
    message_id: str,
    writer: str,
    sender: str,
    purpose: str,
    names_sender: bool,
) -> bytes | None:
    """Return what is in it; None if it was made with something else, or is none.

    Args:
        payload: What is encrypted, with its tag.
        iv: The nonce beside it.
        secret: The other message's.
        message_id: That message's id.
        writer: The JID of who wrote that message.
        sender: The JID of who has encrypted this.
        purpose: What for, by WhatsApp's name of it.
        names_sender: Whether that message and the sender are authenticated beside it.
    """
    key = _key(secret, f"{message_id}{writer}{sender}{purpose}".encode())
    beside = f"{message_id}\0{sender}".encode() if names_sender else b""
    return decrypt(payload, key=key, iv=iv, beside=beside)


def _key(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 without a salt, of 32 bytes."""
    pseudo_random = hmac.digest(bytes(32), secret, _HASH)
    return hmac.digest(pseudo_random, info + _FIRST_BLOCK, _HASH)
