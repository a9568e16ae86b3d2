"""What a file really is, by its contents, and which kinds take it."""

import mimetypes
from collections.abc import Collection
from typing import Final

import magic

from gateway_worker.media.inspection.helper.refusal import RefusalError

_LOOKED_AT_BYTES: Final = 1024 * 1024
"""Of the beginning: archives and documents tell what they are further in."""

IMAGES: Final = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/webp",
        "image/gif",
        "image/bmp",
        "image/x-ms-bmp",
        "image/tiff",
        "image/avif",
    }
)
SOUNDS: Final = {
    # by libmagic: the demuxers that may read it
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "video/ogg": "ogg",
    "application/ogg": "ogg",
    "audio/mp4": "mp4",
    "audio/x-m4a": "mp4",
    "video/mp4": "mp4",
    "video/quicktime": "mp4",
    "video/3gpp": "mp4",
    "audio/aac": "aac",
    "audio/x-hx-aac-adts": "aac",
    "audio/amr": "amr",
    "audio/x-wav": "wav",
    "audio/wav": "wav",
    "audio/vnd.wave": "wav",
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/webm": "matroska",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
}
MOVIES: Final = frozenset({"video/mp4", "video/3gpp", "video/x-m4v", "video/quicktime"})
_VAGUE: Final = frozenset(
    {
        "application/octet-stream",
        "application/zip",
        "application/x-ole-storage",
        "application/CDFV2",
        "text/plain",
        "inode/x-empty",
    }
)
"""What libmagic says of files that it does not know well enough."""
_SYNC: Final = 0xFF
_LAYER_MASK: Final = 0xE6
_LAYER_3: Final = 0xE2
"""How a frame of MP3 begins."""


def real_type(path: str) -> str:
    """Return what libmagic takes a file for."""
    with open(path, "rb") as file:  # noqa: PTH123 - as little as possible in this process
        beginning = file.read(_LOOKED_AT_BYTES)
    if not beginning:
        raise RefusalError("the file is empty")
    found = magic.from_buffer(beginning, mime=True)
    if found == "application/octet-stream" and _is_mpeg_audio(beginning):
        return "audio/mpeg"
    return str(found)


def document_type(path: str, file_name: str | None) -> str:
    """Return what a document is called: by its contents, or by its name if these say little."""
    found = real_type(path)
    if found in _VAGUE and file_name:
        return mimetypes.guess_type(file_name)[0] or found
    return found


def check(found: str, allowed: Collection[str], *, kind: str) -> None:
    """Refuse a type that a kind does not take."""
    if found not in allowed:
        raise RefusalError(f"a file of the type {found} is not sent as {kind}")


def _is_mpeg_audio(beginning: bytes) -> bool:
    """Whether there is a frame of MP3 without a tag before it, which libmagic often misses."""
    return len(beginning) > 1 and beginning[0] == _SYNC and beginning[1] & _LAYER_MASK == _LAYER_3
