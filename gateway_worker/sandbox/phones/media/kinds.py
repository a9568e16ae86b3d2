"""The kinds of files, and the form of each in a message and on the hosts."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class MediaKind(enum.StrEnum):
    """What a file is sent as."""

    IMAGE = "image"
    VIDEO = "video"
    GIF = "gif"
    VIDEO_NOTE = "video_note"
    AUDIO = "audio"
    VOICE = "voice"
    DOCUMENT = "document"
    STICKER = "sticker"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaForm:
    """How a kind is sent.

    Attributes:
        field: of the library's `Message`.
        uploaded_as: the type in the path of the upload.
        key_info: what its keys are derived for.
        mime_type: when the sender says none.
    """

    field: str
    uploaded_as: str
    key_info: bytes
    mime_type: str


def _form(field: str, uploaded_as: str, mime_type: str) -> MediaForm:
    info = f"WhatsApp {uploaded_as.capitalize()} Keys".encode()
    return MediaForm(field=field, uploaded_as=uploaded_as, key_info=info, mime_type=mime_type)


FORMS: Final[Mapping[MediaKind, MediaForm]] = {
    MediaKind.IMAGE: _form("imageMessage", "image", "image/jpeg"),
    MediaKind.VIDEO: _form("videoMessage", "video", "video/mp4"),
    MediaKind.GIF: _form("videoMessage", "video", "video/mp4"),
    MediaKind.VIDEO_NOTE: _form("ptvMessage", "video", "video/mp4"),
    MediaKind.AUDIO: _form("audioMessage", "audio", "audio/mp4"),
    MediaKind.VOICE: _form("audioMessage", "audio", "audio/ogg; codecs=opus"),
    MediaKind.DOCUMENT: _form("documentMessage", "document", "application/octet-stream"),
    MediaKind.STICKER: _form("stickerMessage", "image", "image/webp"),
}

HISTORY_FORM: Final = MediaForm(
    field="historySyncNotification",
    uploaded_as="md-msg-hist",
    key_info=b"WhatsApp History Keys",
    mime_type="application/octet-stream",
)
"""Of what a phone sends its companions of what was written before."""
