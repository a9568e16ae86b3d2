"""A file as the parts of this package hand it to each other."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """A file that was looked at, and made into what its kind has to be.

    Attributes:
        path: Where it is; whoever has asked for it removes it.
        size: In bytes.
        mime_type: What it is, with `; codecs=opus` for a voice message.
        sha256: In hexadecimal digits.
        seconds: Its length, for what can be played.
        width: In pixels, of images, videos and stickers.
        height: Likewise.
        waveform: 64 values of 0 to 100, for a voice message.
        thumbnail: A JPEG of at most 32 KiB; None if there is nothing to see.
        animated: Whether a sticker moves.
        file_name: What the sender calls it.
    """

    path: Path
    size: int
    mime_type: str
    sha256: str
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    waveform: bytes | None = None
    thumbnail: bytes | None = None
    animated: bool = False
    file_name: str | None = None
