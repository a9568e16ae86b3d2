"""What the database knows of a file that arrived, and where its object is."""

from dataclasses import dataclass
from typing import Final

from gateway_contracts import Media

ROOT: Final = "media/"
"""Below it every object has its session's id, and then the hash of what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRow:
    """A file that came with a message. Unique by session and media id.

    Attributes:
        media_id: Its id.
        message_id: The message that it came with.
        chat: That one's chat.
        media: What backends are told of it.
        file_name: What its sender calls it.
        reference: Where WhatsApp has it and what it takes to read it, sealed (see `Sealed`).
        thumbnail: The small JPEG that came with it, until the file itself is there.
    """

    media_id: str
    message_id: str
    chat: str
    media: Media
    reference: bytes
    thumbnail: bytes | None = None
    file_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUpdate:
    """A file has been fetched, or cannot be. Of one that is there already nothing is changed."""

    media_id: str
    media: Media


def prefix_of(session_id: str) -> str:
    """Return what the keys of a session's files begin with."""
    return f"{ROOT}{session_id}/"


def key_of(session_id: str, sha256: str) -> str:
    """Return where a file is kept: the same one twice is one object."""
    return f"{prefix_of(session_id)}{sha256}"


def thumbnail_key_of(key: str) -> str:
    """Return where its thumbnail is kept."""
    return f"{key}.jpg"
