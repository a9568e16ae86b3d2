"""Stickers: WebP of 512 by 512 pixels, still or moving, of a size that phones show."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageSequence

from gateway_worker.media.inspection.helper.images import flat, opened, thumbnail
from gateway_worker.media.inspection.helper.refusal import RefusalError, decoding
from gateway_worker.media.inspection.helper.types import IMAGES, check, real_type
from gateway_worker.media.inspection.protocol import OUTPUT, Found, Question

SIDE: Final = 512
STILL_BYTES: Final = 100 * 1024
MOVING_BYTES: Final = 500 * 1024
MAX_FRAMES: Final = 120
"""Of a longer one every second, third, … is taken."""
_QUALITIES: Final = (80, 50, 25, 5)
_DEFAULT_MILLISECONDS: Final = 100
_SHORTEST_MILLISECONDS: Final = 20


def inspect_sticker(question: Question) -> Found:
    """Look at a sticker, and make it what it has to be unless it is that."""
    found = real_type(question.path)
    check(found, IMAGES, kind="sticker")
    with opened(question.path, pixels=question.limits.pixels) as image:
        with decoding():
            is_moving = getattr(image, "n_frames", 1) > 1
        limit = MOVING_BYTES if is_moving else STILL_BYTES
        small = thumbnail(flat(image))
        is_fit = found == "image/webp" and image.size == (SIDE, SIDE)
        if is_fit and Path(question.path).stat().st_size <= limit:
            converted = False
        else:
            converted = True
            _write(image, Path(question.scratch, OUTPUT), limit=limit)
    return Found(
        mime_type="image/webp",
        converted=converted,
        width=SIDE,
        height=SIDE,
        thumbnail=small,
        animated=is_moving,
    )


def _write(image: Image.Image, output: Path, *, limit: int) -> None:
    with decoding():
        pictures, durations = _pictures(image)
    for quality in _QUALITIES:
        moving = {"save_all": True, "append_images": pictures[1:], "duration": durations, "loop": 0}
        pictures[0].save(
            output, "WEBP", quality=quality, method=2, **(moving if len(pictures) > 1 else {})
        )
        if output.stat().st_size <= limit:
            return
    raise RefusalError(f"the sticker does not fit into {limit // 1024} KiB")


def _pictures(image: Image.Image) -> tuple[Sequence[Image.Image], Sequence[int]]:
    """Return the pictures to show, in their square, and how long each."""
    total = getattr(image, "n_frames", 1)
    step = -(-total // MAX_FRAMES)
    pictures: list[Image.Image] = []
    durations: list[int] = []
    for number, (picture, milliseconds) in enumerate(_frames(image)):
        if number % step:
            durations[-1] += milliseconds
        else:
            pictures.append(_squared(picture))
            durations.append(milliseconds)
    return pictures, durations


def _frames(image: Image.Image) -> Iterator[tuple[Image.Image, int]]:
    for frame in ImageSequence.Iterator(image):
        given = frame.info.get("duration", 0)
        milliseconds = int(given) if given >= _SHORTEST_MILLISECONDS else _DEFAULT_MILLISECONDS
        yield frame, milliseconds


def _squared(frame: Image.Image) -> Image.Image:
    """Return a picture as large as fits, in the middle of a transparent square."""
    picture = frame.convert("RGBA")
    scale = SIDE / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(picture, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return square
