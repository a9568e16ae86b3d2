"""Files that belong to messages: where one that arrived is, and how one is uploaded and shown.

Their keys let anybody read them: none of this goes into an event's data or a log.
"""

from enum import StrEnum
from typing import Final

from gateway_worker.host_protocol.wire import Answer, Wire

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


class Uploaded(Answer, frozen=True, kw_only=True, tag="uploaded"):
    """A file is on WhatsApp's media servers, encrypted.

    Attributes:
        url: Its address.
        direct_path: Its path there.
        media_key: 32 bytes, from which its keys are derived.
        file_enc_sha256: Of what is there.
        file_sha256: Of the file.
        file_length: The file's size in bytes.
        seconds: How long the library needed.
    """

    url: str
    direct_path: str
    media_key: bytes
    file_enc_sha256: bytes
    file_sha256: bytes
    file_length: int
    seconds: float = 0.0


class Attachment(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """A file that goes with a message.

    Attributes:
        uploaded: Where it is.
        mime_type: Its media type.
        seconds: Of a sound or a video, how long it plays.
        width: In pixels.
        height: In pixels.
        waveform: Of a voice note, how loud it is over its time: up to 64 bytes from 0 to 100.
        thumbnail: A small JPEG that is shown until the file is there.
        animated: Of a sticker, whether it moves.
    """

    uploaded: Uploaded
    mime_type: str
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    waveform: bytes | None = None
    thumbnail: bytes | None = None
    animated: bool = False


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
