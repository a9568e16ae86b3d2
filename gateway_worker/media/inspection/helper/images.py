"""Images: how large they are, a small picture of them, and JPEG of what WhatsApp does not take."""

from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from gateway_worker.media.inspection.helper.refusal import RefusalError, decoding
from gateway_worker.media.inspection.helper.types import IMAGES, check, real_type
from gateway_worker.media.inspection.protocol import OUTPUT, THUMBNAIL_BYTES, Found, Question

_AS_THEY_ARE: Final = {"image/jpeg": "JPEG", "image/png": "PNG"}
"""What every client of WhatsApp shows."""
_ORIENTATION: Final = 0x0112
THUMBNAIL_SIDE: Final = 240
PICTURE_SIDE: Final = 640
"""What WhatsApp's apps make of a picture of a person or a group."""
_QUALITIES: Final = (75, 60, 40, 20)
_QUALITY: Final = 90
_FORMATS: Final = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
        BmpImagePlugin.BmpImageFile,
        TiffImagePlugin.TiffImageFile,
        AvifImagePlugin.AvifImageFile,
    )
)
"""Nothing else is tried, whatever it looks like: Pillow can read many odd formats. They are
imported here, for later the disk is closed."""


def inspect_image(question: Question) -> Found:
    """Look at an image, and make a JPEG of it unless it is one, or a PNG."""
    found = real_type(question.path)
    check(found, IMAGES, kind="image")
    with opened(question.path, pixels=question.limits.pixels) as image, decoding():
        is_turned = image.getexif().get(_ORIENTATION, 1) != 1
        is_fit = _AS_THEY_ARE.get(found) == image.format and image.mode != "CMYK"
        upright = flat(image)
    converted = is_turned or not is_fit
    if converted:
        upright.save(Path(question.scratch, OUTPUT), "JPEG", quality=_QUALITY)
    return Found(
        mime_type="image/jpeg" if converted else found,
        converted=converted,
        width=upright.width,
        height=upright.height,
        thumbnail=thumbnail(upright),
    )


def inspect_picture(question: Question) -> Found:
    """Make a square JPEG of an image: the middle of it, of a size that fits a profile."""
    check(real_type(question.path), IMAGES, kind="picture")
    with opened(question.path, pixels=question.limits.pixels) as image, decoding():
        upright = flat(image)
    side = min(PICTURE_SIDE, upright.width, upright.height)
    square = ImageOps.fit(upright, (side, side), Image.Resampling.LANCZOS)
    square.save(Path(question.scratch, OUTPUT), "JPEG", quality=_QUALITY)
    return Found(mime_type="image/jpeg", converted=True, width=side, height=side)


def opened(path: str, *, pixels: int) -> Image.Image:
    """Open an image without decoding it, and refuse one that would become too large."""
    Image.MAX_IMAGE_PIXELS = None  # the size is looked at here, and refused instead of warned of
    with decoding():
        image = Image.open(path, formats=_FORMATS)
    if image.width * image.height > pixels:
        raise RefusalError(f"the image has more than {pixels:,} pixels")
    return image


def flat(image: Image.Image) -> Image.Image:
    """Return the first picture of an image, decoded, upright, in RGB, on white."""
    with decoding():
        upright = ImageOps.exif_transpose(image)
        if not upright.has_transparency_data:
            return upright.convert("RGB")
        upright = upright.convert("RGBA")
    ground = Image.new("RGB", upright.size, "white")
    ground.paste(upright, mask=upright.getchannel("A"))
    return ground


def thumbnail(image: Image.Image) -> bytes | None:
    """Return a small JPEG of a picture."""
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    for quality in _QUALITIES:
        buffer = BytesIO()
        small.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= THUMBNAIL_BYTES:
            return buffer.getvalue()
    return None
