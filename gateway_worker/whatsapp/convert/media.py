"""Files that belong to messages: what is told of one that came, and written of one that is sent."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway_worker.host_protocol.media import (
    HASH_BYTES,
    KEY_BYTES,
    LARGEST_BYTES,
    THUMBNAIL_BYTES,
    Attachment,
    MediaReference,
    MediaType,
)
from gateway_worker.whatsapp.convert.recipients import RecipientError
from gateway_worker.whatsapp.convert.texts import short

WAVEFORM_SAMPLES: Final = 64
LOUDEST: Final = 100
_TYPE_CHARACTERS: Final = 255
_PATH: Final = re.compile(r"/[\x21-\x5b\x5d-\x7e]{1,4095}")
"""Printable ASCII without spaces and backslashes, which some read as slashes."""
_FIELDS: Final = {"thumbnail": "JPEGThumbnail"}


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
    """Return what a file is like, as far as its sender says so."""
    has_size = value.HasField("fileLength") and value.fileLength <= LARGEST_BYTES
    samples = getattr(value, "waveform", b"")[:WAVEFORM_SAMPLES]
    found = {
        "mime_type": short(value.mimetype, _TYPE_CHARACTERS) or None,
        "size": value.fileLength if has_size else None,
        "sha256": value.fileSHA256.hex() if len(value.fileSHA256) == HASH_BYTES else None,
        "seconds": getattr(value, "seconds", 0) or None,
        "width": getattr(value, "width", 0) or None,
        "height": getattr(value, "height", 0) or None,
        "waveform": [min(sample, LOUDEST) for sample in samples] or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _thumbnail(value: Any) -> bytes | None:
    thumbnail: bytes = getattr(value, "JPEGThumbnail", b"")
    return thumbnail if 0 < len(thumbnail) <= THUMBNAIL_BYTES else None


def attached(attachment: Attachment | None, *names: str) -> dict[str, Any]:
    """Return the fields that tell of a file to send in a field of the library's `Message`.

    Args:
        attachment: The file.
        names: Which of its measures are told there: `seconds`, `width`, `height`, `waveform`,
            `thumbnail`.

    Raises:
        RecipientError: There is no file.
    """
    if attachment is None:
        raise RecipientError("there is no file to send")
    uploaded = attachment.uploaded
    return {
        "URL": uploaded.url,
        "directPath": uploaded.direct_path,
        "mediaKey": uploaded.media_key,
        "mediaKeyTimestamp": int(time.time()),
        "fileEncSHA256": uploaded.file_enc_sha256,
        "fileSHA256": uploaded.file_sha256,
        "fileLength": uploaded.file_length,
        "mimetype": attachment.mime_type,
        **{_FIELDS.get(name, name): getattr(attachment, name) for name in names},
    }


def outlined(media: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the fields that tell of a file in what a reply shows of its message.

    Not where it is: whoever gets the reply has the message, or does not get the file this way.

    Args:
        media: As the contract's `Media` has it.
        names: Which of its measures are told there: `seconds`, `width`, `height`.
    """
    return {"mimetype": media.get("mime_type"), **{name: media.get(name) for name in names}}


def wrapped(library: Any, wrapper: str, **content: Any) -> Any:
    """Return the library's `Message` with a content inside a wrapper."""
    inner = library.FutureProofMessage(message=library.Message(**content))
    return library.Message(**{wrapper: inner})
