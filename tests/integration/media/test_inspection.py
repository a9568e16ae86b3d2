"""Files of all sorts through the helper process: what they are, and what becomes of them."""

import hashlib
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from gateway_worker.errors import MediaRefusedError, MediaTooLargeError
from gateway_worker.media.file import MediaFile
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.media.inspection.inspector import Inspector
from tests.support import samples

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024
VOICE = "audio/ogg; codecs=opus"


@pytest_asyncio.fixture(loop_scope="module")
async def inspector(helpers: Helpers) -> Inspector:
    """As it is in a worker."""
    return Inspector(helpers=helpers)


async def inspected(
    inspector: Inspector, directory: Path, data: bytes, kind: str, **options: Any
) -> MediaFile:
    """Put a file into the directory, look at it, and leave nothing else there."""
    path = samples.stored(directory, "file", data)
    options = {"owner": "support", "limit_bytes": 16 * MIB, **options}
    try:
        found = await inspector.inspect(path, kind, **options)
    finally:
        assert names_in(directory) == ["file"]
    assert found.path == path
    assert found.size == path.stat().st_size
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def names_in(directory: Path) -> list[str]:
    """Return what lies in a directory."""
    return [entry.name for entry in directory.iterdir()]


def described(found: MediaFile) -> dict[str, Any]:
    """Return what is known of a file beside its bytes; only whether there is a thumbnail."""
    names = ("mime_type", "seconds", "width", "height")
    known = {name: getattr(found, name) for name in names if getattr(found, name) is not None}
    known["thumbnail"] = found.thumbnail is not None
    return known


STILL = {"width": 64, "height": 48, "thumbnail": True}
PLAYED = {"seconds": samples.SECONDS, "thumbnail": False}


@pytest.mark.parametrize(
    ("kind", "make", "expected"),
    [
        ("image", lambda: samples.picture(form="JPEG"), {"mime_type": "image/jpeg", **STILL}),
        ("image", lambda: samples.picture(form="PNG"), {"mime_type": "image/png", **STILL}),
        ("video", samples.video, {"mime_type": "video/mp4", **STILL, "seconds": 2}),
        ("gif", samples.video, {"mime_type": "video/mp4", **STILL, "seconds": 2}),
        (
            "audio",
            lambda: samples.sound("mp3", "libmp3lame"),
            {"mime_type": "audio/mpeg", **PLAYED},
        ),
        ("audio", lambda: samples.sound("ipod", "aac"), {"mime_type": "audio/mp4", **PLAYED}),
        ("audio", lambda: samples.sound("adts", "aac"), {"mime_type": "audio/aac", **PLAYED}),
        ("audio", lambda: samples.sound("ogg", "libopus"), {"mime_type": VOICE, **PLAYED}),
        ("voice", lambda: samples.sound("ogg", "libopus"), {"mime_type": VOICE, **PLAYED}),
        (
            "sticker",
            lambda: samples.picture(512, 512, form="WEBP"),
            {"mime_type": "image/webp", "width": 512, "height": 512, "thumbnail": True},
        ),
        ("document", lambda: b"%PDF-1.4\n", {"mime_type": "application/pdf", "thumbnail": False}),
        ("document", samples.picture, {"mime_type": "image/png", "thumbnail": True}),
        (
            "document",
            lambda: samples.picture()[:60],
            {"mime_type": "image/png", "thumbnail": False},
        ),
        (
            "document",
            lambda: os.urandom(64),
            {"mime_type": "application/octet-stream", "thumbnail": False},
        ),
    ],
)
async def test_what_is_sent_as_it_is(
    inspector: Inspector,
    tmp_path: Path,
    kind: str,
    make: Callable[[], bytes],
    expected: dict[str, Any],
) -> None:
    """Not a byte of it is changed."""
    data = make()
    found = await inspected(inspector, tmp_path, data, kind)
    assert described(found) == expected
    assert found.path.read_bytes() == data


@pytest.mark.parametrize(
    ("kind", "make", "expected"),
    [
        *(
            ("image", make, {"mime_type": "image/jpeg", **STILL})
            for make in (
                lambda: samples.picture(form="WEBP"),
                lambda: samples.picture(form="BMP"),
                lambda: samples.picture(form="TIFF"),
                lambda: samples.picture(form="AVIF"),
                lambda: samples.picture(form="JPEG", mode="CMYK"),
                lambda: samples.moving(form="GIF"),
            )
        ),
        (
            "image",
            lambda: samples.picture(form="JPEG", exif=_turned()),
            {"mime_type": "image/jpeg", "width": 48, "height": 64, "thumbnail": True},
        ),
        ("video", lambda: samples.video("mov"), {"mime_type": "video/mp4", **STILL, "seconds": 2}),
        ("gif", samples.moving, {"mime_type": "video/mp4", **STILL, "seconds": 1}),
        ("audio", samples.tone, {"mime_type": "audio/mp4", **PLAYED}),
        (
            "audio",
            lambda: samples.sound("webm", "libopus", layout="stereo"),
            {"mime_type": "audio/mp4", **PLAYED},
        ),
        ("audio", lambda: samples.sound("flac", "flac"), {"mime_type": "audio/mp4", **PLAYED}),
        ("voice", samples.tone, {"mime_type": VOICE, **PLAYED}),
        ("voice", lambda: samples.sound("mp3", "libmp3lame"), {"mime_type": VOICE, **PLAYED}),
        ("voice", lambda: samples.sound("webm", "libopus"), {"mime_type": VOICE, **PLAYED}),
        (
            "voice",
            lambda: samples.sound("ogg", "libopus", layout="stereo"),
            {"mime_type": VOICE, **PLAYED},
        ),
        *(
            (
                "sticker",
                make,
                {"mime_type": "image/webp", "width": 512, "height": 512, "thumbnail": True},
            )
            for make in (
                samples.picture,
                lambda: samples.picture(form="JPEG"),
                lambda: samples.picture(100, 100, form="WEBP"),
                samples.moving,
                lambda: samples.moving(form="WEBP"),
            )
        ),
    ],
)
async def test_what_is_converted(
    inspector: Inspector,
    tmp_path: Path,
    kind: str,
    make: Callable[[], bytes],
    expected: dict[str, Any],
) -> None:
    """It is the kind's own format then, and looked at once more it is sent as it is."""
    data = make()
    found = await inspected(inspector, tmp_path, data, kind)
    assert described(found) == expected
    converted = found.path.read_bytes()
    assert converted != data
    again = await inspected(inspector, tmp_path, converted, kind)
    assert described(again) == expected
    assert again.path.read_bytes() == converted


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


async def test_the_waveform_of_a_voice_message(inspector: Inspector, tmp_path: Path) -> None:
    """It has 64 values, the loudest of which is 100, and follows the sound."""
    found = await inspected(inspector, tmp_path, samples.tone(4.0, silent_from=2.0), "voice")
    assert found.seconds == 4
    assert found.waveform is not None
    assert len(found.waveform) == 64
    assert max(found.waveform) == 100
    assert min(found.waveform[:30]) > 50
    assert max(found.waveform[34:]) < 10


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
async def test_a_moving_sticker_moves(inspector: Inspector, tmp_path: Path, form: str) -> None:
    """Each of its pictures keeps its time."""
    found = await inspected(inspector, tmp_path, samples.moving(form=form), "sticker")
    assert found.animated
    with Image.open(found.path) as sticker:
        assert getattr(sticker, "n_frames", 1) == 5
        sticker.load()
        assert sticker.info["duration"] == 200


async def test_a_still_sticker_does_not_move(inspector: Inspector, tmp_path: Path) -> None:
    """And what is beside the picture is transparent."""
    found = await inspected(inspector, tmp_path, samples.picture(100, 50), "sticker")
    assert not found.animated
    with Image.open(found.path) as sticker:
        assert sticker.convert("RGBA").getpixel((256, 0)) == (0, 0, 0, 0)


@pytest.mark.parametrize("kind", ["image", "sticker"])
async def test_a_thumbnail_is_small(inspector: Inspector, tmp_path: Path, kind: str) -> None:
    """Whatever it is of: noise cannot be packed."""
    buffer = BytesIO()
    Image.frombytes("RGB", (600, 300), os.urandom(600 * 300 * 3)).save(buffer, "PNG")
    found = await inspected(inspector, tmp_path, buffer.getvalue(), kind)
    assert found.thumbnail is not None
    assert len(found.thumbnail) <= 32 * 1024
    with Image.open(BytesIO(found.thumbnail)) as small:
        assert small.format == "JPEG"
        assert max(small.size) == 240


@pytest.mark.parametrize(
    ("kind", "make", "reason"),
    [
        ("image", lambda: b"", "empty"),
        ("image", lambda: b"GIF89a", "damaged"),
        ("image", lambda: samples.picture()[:-40], "damaged"),
        ("image", lambda: samples.picture(form="JPEG", width=640, height=480)[:-400], "damaged"),
        ("image", samples.video, "video/mp4"),
        ("image", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg"),
        ("image", lambda: b"%!PS-Adobe-3.0\n", "application/postscript"),
        ("video", samples.picture, "image/png"),
        ("video", lambda: samples.video("webm", "libvpx"), "video/webm"),
        ("video", lambda: samples.video("mpegts"), "type"),
        ("video", lambda: samples.video("mp4", "libvpx-vp9"), "codec"),
        ("video", lambda: samples.sound("ipod", "aac"), ""),
        ("video", lambda: samples.video()[:800], "damaged"),
        ("gif", lambda: samples.moving()[:90], "damaged"),
        ("audio", samples.picture, "image/png"),
        ("audio", samples.video, "no sound"),
        ("voice", lambda: b"%PDF-1.4\n", "application/pdf"),
        ("voice", lambda: samples.tone()[:44], "damaged"),
        ("voice", lambda: b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n", "type"),
        ("voice", lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", "text/plain"),
        ("sticker", samples.video, "video/mp4"),
        ("sticker", lambda: samples.picture(form="WEBP")[:40], "damaged"),
    ],
)
async def test_refused(
    inspector: Inspector, tmp_path: Path, kind: str, make: Callable[[], bytes], reason: str
) -> None:
    """What is not of its kind, or not whole; the reason is told."""
    with pytest.raises(MediaRefusedError) as refused:
        await inspected(inspector, tmp_path, make(), kind)
    assert reason in refused.value.detail
    assert "cannot be read" not in refused.value.detail, "the helper has failed"


async def test_an_image_of_too_many_pixels(inspector: Inspector, tmp_path: Path) -> None:
    """It is refused before it is unpacked: here 120 MB of a file of 50 KB."""
    buffer = BytesIO()
    Image.new("1", (12_000, 10_000)).save(buffer, "PNG")
    with pytest.raises(MediaRefusedError) as refused:
        await inspected(inspector, tmp_path, buffer.getvalue(), "image")
    assert refused.value.detail == "the image has more than 50,000,000 pixels"


async def test_an_image_that_takes_too_much_memory(helpers: Helpers, tmp_path: Path) -> None:
    """Its process cannot have more than it may."""
    buffer = BytesIO()
    Image.new("1", (7_000, 7_000)).save(buffer, "PNG")
    with pytest.raises(MediaRefusedError) as refused:
        await inspected(
            Inspector(helpers=helpers, memory_bytes=256 * MIB), tmp_path, buffer.getvalue(), "image"
        )
    assert refused.value.detail == "looking at the file takes more memory than it may"


async def test_a_file_that_keeps_its_reader_busy(helpers: Helpers, tmp_path: Path) -> None:
    """Its process ends when it has used up its time."""
    data = samples.busy_gif()
    assert len(data) < 16 * MIB
    with pytest.raises(MediaRefusedError) as refused:
        await inspected(Inspector(helpers=helpers, cpu_seconds=1), tmp_path, data, "gif")
    assert "busy" in refused.value.detail


async def test_a_converted_file_that_is_too_large(inspector: Inspector, tmp_path: Path) -> None:
    """The limit counts for what is sent, too."""
    data = samples.picture(400, 400, form="WEBP")
    with pytest.raises(MediaTooLargeError):
        await inspected(inspector, tmp_path, data, "image", limit_bytes=len(data))


@pytest.mark.parametrize(
    ("width", "height", "side"), [(900, 1_600, 640), (100, 50, 50), (640, 640, 640)]
)
async def test_a_picture_becomes_a_square(
    inspector: Inspector, tmp_path: Path, width: int, height: int, side: int
) -> None:
    """The middle of it, as a JPEG that is not larger than profiles are."""
    found = await inspected(inspector, tmp_path, samples.picture(width, height), "picture")
    with Image.open(found.path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (side, side))
    assert (found.mime_type, found.width, found.height) == ("image/jpeg", side, side)
