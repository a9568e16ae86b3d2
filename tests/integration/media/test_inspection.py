"""Files of all sorts through the helper process: what they are, and what becomes of them."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from PIL import Image

from gateway_worker.errors import MediaRefusedError, MediaTooLargeError
from gateway_worker.media.file import MediaFile
from gateway_worker.media.inspection import inspector as inspection
from gateway_worker.media.inspection.inspector import PROGRAM, Inspector
from gateway_worker.media.inspection.protocol import Limits, Question
from tests.support import samples
from tests.support.eventually import eventually

MIB = 1024 * 1024
VOICE = "audio/ogg; codecs=opus"


async def inspected(
    directory: Path, data: bytes, kind: str, *, inspector: Inspector | None = None, **options: Any
) -> MediaFile:
    """Put a file into the directory, look at it, and leave nothing else there."""
    path = samples.stored(directory, "file", data)
    options = {"limit_bytes": 16 * MIB, **options}
    try:
        found = await (inspector or Inspector()).inspect(path, kind, **options)
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
    tmp_path: Path, kind: str, make: Callable[[], bytes], expected: dict[str, Any]
) -> None:
    """Not a byte of it is changed."""
    data = make()
    found = await inspected(tmp_path, data, kind)
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
    tmp_path: Path, kind: str, make: Callable[[], bytes], expected: dict[str, Any]
) -> None:
    """It is the kind's own format then, and looked at once more it is sent as it is."""
    data = make()
    found = await inspected(tmp_path, data, kind)
    assert described(found) == expected
    converted = found.path.read_bytes()
    assert converted != data
    again = await inspected(tmp_path, converted, kind)
    assert described(again) == expected
    assert again.path.read_bytes() == converted


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


async def test_the_waveform_of_a_voice_message(tmp_path: Path) -> None:
    """It has 64 values, the loudest of which is 100, and follows the sound."""
    found = await inspected(tmp_path, samples.tone(4.0, silent_from=2.0), "voice")
    assert found.seconds == 4
    assert found.waveform is not None
    assert len(found.waveform) == 64
    assert max(found.waveform) == 100
    assert min(found.waveform[:30]) > 50
    assert max(found.waveform[34:]) < 10


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
async def test_a_moving_sticker_moves(tmp_path: Path, form: str) -> None:
    """Each of its pictures keeps its time."""
    found = await inspected(tmp_path, samples.moving(form=form), "sticker")
    assert found.animated
    with Image.open(found.path) as sticker:
        assert getattr(sticker, "n_frames", 1) == 5
        sticker.load()
        assert sticker.info["duration"] == 200


async def test_a_still_sticker_does_not_move(tmp_path: Path) -> None:
    """And what is beside the picture is transparent."""
    found = await inspected(tmp_path, samples.picture(100, 50), "sticker")
    assert not found.animated
    with Image.open(found.path) as sticker:
        assert sticker.convert("RGBA").getpixel((256, 0)) == (0, 0, 0, 0)


@pytest.mark.parametrize("kind", ["image", "sticker"])
async def test_a_thumbnail_is_small(tmp_path: Path, kind: str) -> None:
    """Whatever it is of: noise cannot be packed."""
    buffer = BytesIO()
    Image.frombytes("RGB", (600, 300), os.urandom(600 * 300 * 3)).save(buffer, "PNG")
    found = await inspected(tmp_path, buffer.getvalue(), kind)
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
async def test_refused(tmp_path: Path, kind: str, make: Callable[[], bytes], reason: str) -> None:
    """What is not of its kind, or not whole; the reason is told."""
    with pytest.raises(MediaRefusedError) as refused:
        await inspected(tmp_path, make(), kind)
    assert reason in refused.value.detail
    assert "cannot be read" not in refused.value.detail, "the helper has failed"


async def test_an_image_of_too_many_pixels(tmp_path: Path) -> None:
    """It is refused before it is unpacked: here 120 MB of a file of 50 KB."""
    buffer = BytesIO()
    Image.new("1", (12_000, 10_000)).save(buffer, "PNG")
    with pytest.raises(MediaRefusedError) as refused:
        await inspected(tmp_path, buffer.getvalue(), "image")
    assert refused.value.detail == "the image has more than 50,000,000 pixels"


async def test_an_image_that_takes_too_much_memory(tmp_path: Path) -> None:
    """Its process cannot have more than it may."""
    buffer = BytesIO()
    Image.new("1", (7_000, 7_000)).save(buffer, "PNG")
    with pytest.raises(MediaRefusedError) as refused:
        await inspected(
            tmp_path, buffer.getvalue(), "image", inspector=Inspector(memory_bytes=256 * MIB)
        )
    assert refused.value.detail == "looking at the file takes more memory than it may"


async def test_a_file_that_keeps_its_reader_busy(tmp_path: Path) -> None:
    """Its process ends when it has used up its time."""
    data = samples.busy_gif()
    assert len(data) < 16 * MIB
    with pytest.raises(MediaRefusedError) as refused:
        await inspected(tmp_path, data, "gif", inspector=Inspector(cpu_seconds=1))
    assert "busy" in refused.value.detail


async def test_a_file_that_keeps_its_reader_waiting(tmp_path: Path) -> None:
    """Its process is killed, and is gone then."""
    os.mkfifo(tmp_path / "file")
    before = set(psutil.Process().children())
    with pytest.raises(MediaRefusedError):
        await Inspector(wall_seconds=1).inspect(tmp_path / "file", "image", limit_bytes=MIB)
    assert set(psutil.Process().children()) == before
    assert names_in(tmp_path) == ["file"]


async def test_an_inspection_that_is_given_up(tmp_path: Path) -> None:
    """Its process is killed, and its directory removed."""
    os.mkfifo(tmp_path / "file")
    before = set(psutil.Process().children())
    looking = asyncio.create_task(Inspector().inspect(tmp_path / "file", "image", limit_bytes=MIB))
    await eventually(lambda: set(psutil.Process().children()) - before)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert looking.cancelled()
    assert set(psutil.Process().children()) == before
    assert names_in(tmp_path) == ["file"]


def test_a_helper_without_a_worker_ends_by_itself(tmp_path: Path) -> None:
    """Its own alarm ends it."""
    os.mkfifo(tmp_path / "file")
    (tmp_path / "scratch").mkdir()
    question = Question(
        path=str(tmp_path / "file"),
        scratch=str(tmp_path / "scratch"),
        kind="image",
        file_name=None,
        limits=Limits(
            cpu_seconds=9, wall_seconds=1, memory_bytes=1024 * MIB, output_bytes=MIB, pixels=MIB
        ),
    )
    ended = subprocess.run(
        [sys.executable, "-m", PROGRAM], input=msgspec.json.encode(question), check=False
    )
    assert ended.returncode == -signal.SIGALRM


async def test_a_converted_file_that_is_too_large(tmp_path: Path) -> None:
    """The limit counts for what is sent, too."""
    data = samples.picture(400, 400, form="WEBP")
    with pytest.raises(MediaTooLargeError):
        await inspected(tmp_path, data, "image", limit_bytes=len(data))


async def test_only_so_many_at_once(tmp_path: Path) -> None:
    """The others wait for their turn."""
    inspector = Inspector(at_once=1, wall_seconds=60)
    os.mkfifo(tmp_path / "slow")
    path = samples.stored(tmp_path, "file", samples.picture())
    before = set(psutil.Process().children())
    first = asyncio.create_task(inspector.inspect(tmp_path / "slow", "image", limit_bytes=MIB))
    await eventually(lambda: set(psutil.Process().children()) - before)
    second = asyncio.create_task(inspector.inspect(path, "image", limit_bytes=MIB))
    await asyncio.sleep(0)
    assert len(set(psutil.Process().children()) - before) == 1
    first.cancel()
    assert (await second).width == 64


def test_the_helper_gets_none_of_the_secrets() -> None:
    """Of the environment only what the interpreter needs."""
    given = inspection._environment({"PATH": "/bin", "AMQP_URL": "amqp://u:p@h", "TMPDIR": "/t"})
    assert "AMQP_URL" not in given
    assert given["PATH"] == "/bin"


CONFINED = """
import os, socket, subprocess, sys
from pathlib import Path
import msgspec
from gateway_worker.media.inspection.limits import give_up
from gateway_worker.media.inspection.protocol import Question

question = msgspec.json.decode(sys.argv[1].encode(), type=Question)
give_up(question)

def refused(what):
    try:
        what()
    except OSError:
        return True
    return False

other = Path(question.path).with_name("other")
assert Path(question.path).read_bytes() == b"file"
assert refused(lambda: Path(question.path).write_bytes(b"x"))
assert refused(other.read_bytes)
assert refused(lambda: other.write_bytes(b"x"))
assert refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
assert refused(lambda: socket.socket(socket.AF_UNIX))
assert refused(lambda: subprocess.run(["/bin/true"]))
assert refused(lambda: os.kill(os.getppid(), 0))
assert refused(os.setsid)
most = question.limits.output_bytes
assert refused(lambda: Path(question.scratch, "a").write_bytes(bytes(most + 1)))
Path(question.scratch, "b").write_bytes(bytes(most))
try:
    bytes(question.limits.memory_bytes)
except MemoryError:
    pass
else:
    raise AssertionError("as much memory as it likes")
"""


def test_what_the_helper_can_still_do(tmp_path: Path) -> None:
    """Read its file, write beside it, and nothing else."""
    samples.stored(tmp_path, "file", b"file")
    samples.stored(tmp_path, "other", b"other")
    (tmp_path / "scratch").mkdir()
    limits = Limits(
        cpu_seconds=9, wall_seconds=9, memory_bytes=512 * MIB, output_bytes=1000, pixels=1
    )
    question = Question(
        path=str(tmp_path / "file"),
        scratch=str(tmp_path / "scratch"),
        kind="image",
        file_name=None,
        limits=limits,
    )
    subprocess.run(
        [sys.executable, "-c", CONFINED, msgspec.json.encode(question).decode()], check=True
    )


@pytest.mark.parametrize(
    ("width", "height", "side"), [(900, 1_600, 640), (100, 50, 50), (640, 640, 640)]
)
async def test_a_picture_becomes_a_square(
    tmp_path: Path, width: int, height: int, side: int
) -> None:
    """The middle of it, as a JPEG that is not larger than profiles are."""
    found = await inspected(tmp_path, samples.picture(width, height), "picture")
    with Image.open(found.path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (side, side))
    assert (found.mime_type, found.width, found.height) == ("image/jpeg", side, side)
