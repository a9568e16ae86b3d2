"""AES-256-CBC with PKCS #7 padding, as both kinds of Signal messages have it."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from gateway_worker.sandbox.signal.errors import MalformedMessageError

_BLOCK_BITS: Final = 128


def encrypt(*, key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Pad and encrypt."""
    padder = PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    padded = padder.update(plaintext) + padder.finalize()
    return encryptor.update(padded) + encryptor.finalize()


def decrypt(*, key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Decrypt and take the padding off.

    Raises:
        MalformedMessageError: it is not whole blocks, or its padding does not fit.
    """
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(_BLOCK_BITS).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise MalformedMessageError("the ciphertext does not decrypt") from error
