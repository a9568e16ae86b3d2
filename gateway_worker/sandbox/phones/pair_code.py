"""The phone's half of pairing by a typed code.

The eight characters are the key under which both sides hide their ephemeral public keys from the
server. From the ephemeral and the identity secrets both derive the same `adv_secret` that a QR
code would have carried in its picture.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway_worker.sandbox.hkdf import hkdf
from gateway_worker.sandbox.phones.errors import WrongCodeError
from gateway_worker.sandbox.signal.keys import KEY_BYTES, KeyPair

_ITERATIONS: Final = 2**17
_SALT: Final = 32
_IV: Final = 16
_NONCE: Final = 12
_CODE_LENGTH: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeExchange:
    """One attempt after the code was typed.

    Attributes:
        ephemeral: our key pair for this attempt.
        companion_ephemeral: theirs, unwrapped with the code (garbage if the code is wrong).
        wrapped: our public key, hidden under the code: salt (32), iv (16), ciphertext (32).
    """

    ephemeral: KeyPair
    companion_ephemeral: bytes = field(repr=False)
    wrapped: bytes

    def adv_secret(
        self, *, account: KeyPair, companion_identity: bytes, wrapped_bundle: bytes
    ) -> bytes:
        """Open the companion's bundle and derive the secret that authenticates our identity.

        Args:
            account: our identity.
            companion_identity: as announced beside the bundle.
            wrapped_bundle: salt (32), nonce (12), AES-GCM of both identities and 32 random bytes.

        Raises:
            WrongCodeError: the bundle does not open or names other identities.
        """
        salt, rest = wrapped_bundle[:_SALT], wrapped_bundle[_SALT:]
        shared = self.ephemeral.agree(self.companion_ephemeral)
        key = hkdf(
            secret=shared,
            salt=salt,
            info=b"link_code_pairing_key_bundle_encryption_key",
            length=KEY_BYTES,
        )
        try:
            bundle = AESGCM(key).decrypt(rest[:_NONCE], rest[_NONCE:], None)
        except (InvalidTag, ValueError) as error:
            raise WrongCodeError("the companion used another code") from error
        if bundle[: 2 * KEY_BYTES] != companion_identity + account.public:
            raise WrongCodeError("the companion's bundle names other identities")
        return hkdf(
            secret=shared + account.agree(companion_identity) + bundle[2 * KEY_BYTES :],
            info=b"adv_secret",
            length=KEY_BYTES,
        )


def normalize(code: str) -> str:
    """Return the eight characters of a code as typed, in any case and with or without a dash.

    Raises:
        WrongCodeError: there are not eight letters and digits.
    """
    plain = code.replace("-", "").replace(" ", "").upper()
    if len(plain) != _CODE_LENGTH or not plain.isalnum():
        raise WrongCodeError("a pairing code has eight letters and digits")
    return plain


async def start_exchange(*, code: str, wrapped_ephemeral: bytes) -> CodeExchange:
    """Unwrap the companion's ephemeral key and wrap one of ours; about 0.1 s in a thread.

    Args:
        code: normalized.
        wrapped_ephemeral: 80 bytes from the companion's hello.

    Raises:
        WrongCodeError: the hello is too short.
    """
    if len(wrapped_ephemeral) != _SALT + _IV + KEY_BYTES:
        raise WrongCodeError(f"the companion's hello has {len(wrapped_ephemeral)} bytes, not 80")
    theirs = await asyncio.to_thread(
        _crypt,
        code,
        wrapped_ephemeral[:_SALT],
        wrapped_ephemeral[_SALT : _SALT + _IV],
        wrapped_ephemeral[_SALT + _IV :],
    )
    ephemeral = KeyPair.generate()
    salt, iv = secrets.token_bytes(_SALT), secrets.token_bytes(_IV)
    ours = await asyncio.to_thread(_crypt, code, salt, iv, ephemeral.public)
    return CodeExchange(ephemeral=ephemeral, companion_ephemeral=theirs, wrapped=salt + iv + ours)


def _crypt(code: str, salt: bytes, iv: bytes, data: bytes) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, _ITERATIONS, KEY_BYTES)
    cipher = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return cipher.update(data) + cipher.finalize()
