"""What the worker asks the helper process, and what it answers: each one JSON object.

A helper may have been taken over by the file that it looks at. What an answer can be is said here,
and the worker takes nothing else.
"""

from typing import Annotated, Final

import msgspec

MAX_ANSWER_BYTES: Final = 256 * 1024
"""A thumbnail, a page's description, and room."""
THUMBNAIL_BYTES: Final = 32 * 1024
WAVEFORM_VALUES: Final = 64
MAX_TITLE: Final = 300
MAX_DESCRIPTION: Final = 600
MAX_PICTURE_URL: Final = 2_048

_Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 30)]
_MimeType = Annotated[
    str,
    msgspec.Meta(
        max_length=127, pattern=r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(; codecs=opus)?$"
    ),
]
_Waveform = Annotated[bytes, msgspec.Meta(max_length=WAVEFORM_VALUES)]
_Thumbnail = Annotated[bytes, msgspec.Meta(max_length=THUMBNAIL_BYTES)]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one helper process may use.

    Attributes:
        cpu_seconds: Of the processor.
        wall_seconds: Of everybody's time, after which it ends itself if nobody has killed it.
        memory_bytes: Of address space.
        output_bytes: The size of any file that it writes.
        pixels: In one image.
    """

    cpu_seconds: int
    wall_seconds: int
    memory_bytes: int
    output_bytes: int
    pixels: int


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One file.

    Attributes:
        path: Where it is; only read.
        scratch: A directory to write in, empty.
        kind: What it is to be sent as: `image`, `video`, `gif`, `audio`, `voice`, `document`,
            `sticker`; `picture`, of a person or a group; or `page`, a web page to be described.
        file_name: What the sender calls it.
        limits: See there.
    """

    path: str
    scratch: str
    kind: str
    file_name: str | None
    limits: Limits


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """What the file is.

    Attributes:
        converted: Whether `scratch` has a file `OUTPUT` that is to take its place.
        mime_type: Of whichever of the two is to be sent.
        seconds: Length of what can be played, rounded, at least 1.
        width: In pixels, as it is shown.
        height: Likewise.
        waveform: 64 values of 0 to 100.
        thumbnail: A JPEG.
        animated: Whether a sticker moves.
    """

    mime_type: _MimeType
    converted: bool = False
    seconds: _Count | None = None
    width: _Count | None = None
    height: _Count | None = None
    waveform: _Waveform | None = None
    thumbnail: _Thumbnail | None = None
    animated: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True, tag="page"):
    """What a web page says of itself, each on one line; None for what it does not say.

    Attributes:
        title: Its title.
        description: What it is about.
        image: Where a picture of it is, as it is written there.
    """

    title: Annotated[str, msgspec.Meta(max_length=MAX_TITLE)] | None
    description: Annotated[str, msgspec.Meta(max_length=MAX_DESCRIPTION)] | None
    image: Annotated[str, msgspec.Meta(max_length=MAX_PICTURE_URL)] | None


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The file cannot be sent as that.

    Attributes:
        detail: Why, for a person; nothing of the file's contents.
    """

    detail: Annotated[str, msgspec.Meta(max_length=200)]


class Broken(msgspec.Struct, frozen=True, kw_only=True, tag="broken"):
    """The helper itself has failed.

    Attributes:
        detail: The error's class and where it was raised.
    """

    detail: Annotated[str, msgspec.Meta(max_length=200)]


Answer = Found | Page | Refused | Broken

OUTPUT = "output"
"""Name of the converted file in `scratch`."""
