"""A file that came with a message: what its sender says of it, and where it is."""

import re
from dataclasses import dataclass
from typing import Any, Final

from gateway_worker.host_protocol.media import (
    HASH_BYTES,
    KEY_BYTES,
    LARGEST_BYTES,
    THUMBNAIL_BYTES,
    MediaReference,
    MediaType,
)
from gateway_worker.whatsapp.convert.texts import short

WAVEFORM_SAMPLES: Final = 64
LOUDEST: Final = 100
_TYPE_CHARACTERS: Final = 255
_PATH: Final = re.compile(r"/[\x21-\x5b\x5d-\x7e]{1,4095}")
"""Printable ASCII without spaces and backslashes, which some read as slashes."""
_NUMBERS: Final = ("seconds", "width", "height")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that came with a message.

    Attributes:
        told: As the contract's `Media` has it: not fetched, or why it cannot be.
        reference: Where it is; None if it cannot be fetched.
        is_partial: Something of it was cut.
    """

    told: dict[str, Any]
    reference: MediaReference | None
    is_partial: bool = False


def file_of(value: Any, media_type: MediaType) -> File:
    """Return the file of a field of the library's `Message`, such as `imageMessage`.

    Args:
        value: The field's value.
        media_type: As what such files are uploaded.
    """
    missing = _missing(value)
    told = {**_properties(value), "state": "off"}
    is_partial = len(value.mimetype) > _TYPE_CHARACTERS
    if missing is not None:
        error = {"code": "media_unavailable", "detail": missing, "recoverable": False}
        told |= {"state": "failed", "error": error}
        return File(told=told, reference=None, is_partial=is_partial)
    reference = MediaReference(
        media_type=media_type,
        direct_path=value.directPath,
        media_key=value.mediaKey,
        file_enc_sha256=value.fileEncSHA256,
        file_sha256=value.fileSHA256,
        file_length=value.fileLength,
        thumbnail=_thumbnail(value),
    )
    return File(told=told, reference=reference, is_partial=is_partial)


def _missing(value: Any) -> str | None:
    """Return what a file cannot be fetched without; None if everything is there."""
    path = value.directPath
    if not (isinstance(path, str) and _PATH.fullmatch(path)):
        return "the message does not say where the file is"
    if len(value.mediaKey) != KEY_BYTES:
        return "the message has no key of the file"
    if {len(value.fileSHA256), len(value.fileEncSHA256)} != {HASH_BYTES}:
        return "the message does not have the file's hashes"
    if value.fileLength > LARGEST_BYTES:
        return "the file has a size that no file on WhatsApp has"
    return None


def _properties(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if value.mimetype:
        found["mime_type"] = short(value.mimetype, _TYPE_CHARACTERS)
    if value.HasField("fileLength") and value.fileLength <= LARGEST_BYTES:
        found["size"] = value.fileLength
    if len(value.fileSHA256) == HASH_BYTES:
        found["sha256"] = value.fileSHA256.hex()
    numbers = {name: getattr(value, name, 0) for name in _NUMBERS}
    found |= {name: number for name, number in numbers.items() if number}
    if samples := getattr(value, "waveform", b"")[:WAVEFORM_SAMPLES]:
        found["waveform"] = [min(sample, LOUDEST) for sample in samples]
    return found


def _thumbnail(value: Any) -> bytes | None:
    thumbnail: bytes = getattr(value, "JPEGThumbnail", b"")
    return thumbnail if 0 < len(thumbnail) <= THUMBNAIL_BYTES else None
