"""Files that belong to messages: where one that arrived is, and how one is uploaded and shown.

Their keys let anybody read them: none of this goes into an event's data or a log.
"""

from enum import StrEnum
from typing import Final

from gateway_worker.host_protocol.wire import Wire

LARGEST_BYTES: Final = 1 << 32
"""Above this a size is none that a file on WhatsApp has."""
KEY_BYTES: Final = 32
HASH_BYTES: Final = 32
THUMBNAIL_BYTES: Final = 64 * 1024
"""The largest thumbnail that travels with an arrival."""


class MediaType(StrEnum):
    """How a file is stored at WhatsApp, which its encryption depends on; stickers are images."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


class MediaReference(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """Where a file that arrived is, and what it takes to read it.

    Attributes:
        media_type: As what it was uploaded.
        direct_path: Its path on WhatsApp's media servers, with its query; it begins with a slash.
        media_key: 32 bytes, from which its keys are derived.
        file_enc_sha256: Of what is on the server.
        file_sha256: Of the file.
        file_length: The file's size in bytes, as its sender says.
        thumbnail: A small JPEG that came with the message.
    """

    media_type: MediaType
    direct_path: str
    media_key: bytes
    file_enc_sha256: bytes
    file_sha256: bytes
    file_length: int
    thumbnail: bytes | None = None
