"""AES-256-GCM by the OpenSSL that Python's own `hashlib` has loaded already.

The package `cryptography` brings one of its own, which costs a host 4 MiB that it shares with
nobody (measured), from the first edit on that somebody makes. It stands in where Python's OpenSSL
is built into it, or where there is none.
"""

import ctypes
import importlib
from functools import cache
from typing import Any, Final

_TAG_BYTES: Final = 16
_IV_BYTES: Final = 12
_BLOCK_BYTES: Final = 16
_SET_TAG: Final = 0x11
"""OpenSSL's `EVP_CTRL_AEAD_SET_TAG`."""
_DONE: Final = 1


def decrypt(payload: bytes, *, key: bytes, iv: bytes, beside: bytes = b"") -> bytes | None:
    """Return what was encrypted; None if it was not with this key, or is damaged.

    Args:
        payload: The ciphertext, and behind it its tag of 16 bytes.
        key: 32 bytes.
        iv: The nonce, 12 bytes.
        beside: What is authenticated with it.
    """
    if len(iv) != _IV_BYTES or len(payload) < _TAG_BYTES:
        return None
    if openssl() is None:
        return decrypt_by_package(payload, key=key, iv=iv, beside=beside)
    return decrypt_by_openssl(payload, key=key, iv=iv, beside=beside)


def decrypt_by_openssl(payload: bytes, *, key: bytes, iv: bytes, beside: bytes) -> bytes | None:
    """Do that with the library that `hashlib` uses; `openssl` says whether there is one."""
    library: Any = openssl()
    context = ctypes.c_void_p(library.EVP_CIPHER_CTX_new())
    try:
        return _decrypt(library, context, payload, key=key, iv=iv, beside=beside)
    finally:
        library.EVP_CIPHER_CTX_free(context)


def decrypt_by_package(payload: bytes, *, key: bytes, iv: bytes, beside: bytes) -> bytes | None:
    """Do that with `cryptography`."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - 4 MiB
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    try:
        return AESGCM(key).decrypt(iv, payload, beside)
    except InvalidTag:
        return None


@cache
def openssl() -> Any:
    """Return the library that `hashlib` uses; None if it has none that could be called."""
    try:
        library = ctypes.CDLL(importlib.import_module("_hashlib").__file__)
        for name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
            getattr(library, name).restype = ctypes.c_void_p
    except (ImportError, AttributeError, OSError):
        return None
    return library


def _decrypt(
    library: Any, context: ctypes.c_void_p, payload: bytes, *, key: bytes, iv: bytes, beside: bytes
) -> bytes | None:
    sealed, tag = payload[:-_TAG_BYTES], payload[-_TAG_BYTES:]
    cipher = ctypes.c_void_p(library.EVP_aes_256_gcm())
    plain, rest = (ctypes.create_string_buffer(one) for one in (len(sealed), _BLOCK_BYTES))
    size = ctypes.byref(ctypes.c_int())
    steps = (
        library.EVP_DecryptInit_ex(context, cipher, None, key, iv),
        library.EVP_DecryptUpdate(context, None, size, beside, len(beside)),
        library.EVP_DecryptUpdate(context, plain, size, sealed, len(sealed)),
        library.EVP_CIPHER_CTX_ctrl(context, _SET_TAG, _TAG_BYTES, tag),
        library.EVP_DecryptFinal_ex(context, rest, size),
    )
    return plain.raw if set(steps) == {_DONE} else None
