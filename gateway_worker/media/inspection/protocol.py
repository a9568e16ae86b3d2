"""What the worker asks the helper process, and what it answers: each one JSON object."""

import msgspec

MAX_ANSWER_BYTES = 256 * 1024
"""A thumbnail, a page's description, and room."""


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
            `sticker`; or `page`, a web page to be described.
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

    mime_type: str
    converted: bool = False
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    waveform: bytes | None = None
    thumbnail: bytes | None = None
    animated: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True, tag="page"):
    """What a web page says of itself, each on one line; None for what it does not say.

    Attributes:
        title: Its title.
        description: What it is about.
        image: Where a picture of it is, as it is written there.
    """

    title: str | None
    description: str | None
    image: str | None


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The file cannot be sent as that.

    Attributes:
        detail: Why, for a person; nothing of the file's contents.
    """

    detail: str


class Broken(msgspec.Struct, frozen=True, kw_only=True, tag="broken"):
    """The helper itself has failed.

    Attributes:
        detail: The error's class and where it was raised.
    """

    detail: str


Answer = Found | Page | Refused | Broken

OUTPUT = "output"
"""Name of the converted file in `scratch`."""
