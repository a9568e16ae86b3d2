"""The text of a pairing QR code."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

from gateway_worker.sandbox.phones.errors import InvalidQrError

_FIELDS: Final = 4
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class QrOffer:
    """What a companion shows to be scanned.

    Attributes:
        ref: the server's name for this offer.
        noise_public: the companion's 32-byte Noise key.
        identity: its 32-byte identity key.
        adv_secret: 32 bytes that authenticate the phone's answer; they travel only in the picture.
    """

    ref: str
    noise_public: bytes
    identity: bytes
    adv_secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> QrOffer:
        """Read the URL form or the bare form: ref, noise, identity, secret[, client type].

        Raises:
            InvalidQrError: a field is missing or is not 32 bytes of base64.
        """
        fields = text.strip().rpartition("#")[2].split(",")
        if len(fields) < _FIELDS:
            raise InvalidQrError(f"a pairing QR has at least {_FIELDS} fields, not {len(fields)}")
        if not fields[0]:
            raise InvalidQrError("the ref field is empty")
        return cls(
            ref=fields[0],
            noise_public=_key("noise key", fields[1]),
            identity=_key("identity key", fields[2]),
            adv_secret=_key("secret", fields[3]),
        )


def _key(name: str, value: str) -> bytes:
    try:
        key = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise InvalidQrError(f"the {name} is not base64") from error
    if len(key) != _KEY_BYTES:
        raise InvalidQrError(f"the {name} has {len(key)} bytes, not {_KEY_BYTES}")
    return key
