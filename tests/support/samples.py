"""Small files of every sort, made when they are needed."""

import math
import struct
import wave
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import av
from av.audio.resampler import AudioResampler
from PIL import Image

SECONDS = 2
_RATE = 16_000


def picture(
    width: int = 64, height: int = 48, *, form: str = "PNG", mode: str = "RGB", **options: Any
) -> bytes:
    """Return an image with a gradient, so that it is not all of one colour."""
    image = Image.linear_gradient("L").resize((width, height)).convert(mode)
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def moving(width: int = 64, height: int = 48, *, form: str = "GIF", frames: int = 5) -> bytes:
    """Return an image of several pictures, a fifth of a second each."""
    ground = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    pictures = [ground.rotate(90 * number) for number in range(frames)]
    buffer = BytesIO()
    pictures[0].save(buffer, form, save_all=True, append_images=pictures[1:], duration=200, loop=0)
    return buffer.getvalue()


def tone(seconds: float = SECONDS, *, silent_from: float | None = None) -> bytes:
    """Return a WAV file with a tone, which stops at some time."""
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        end = seconds if silent_from is None else silent_from
        file.writeframes(
            b"".join(
                struct.pack("<h", int(12_000 * math.sin(number / 8)) if number < end * _RATE else 0)
                for number in range(int(seconds * _RATE))
            )
        )
    return buffer.getvalue()


def sound(
    form: str, codec: str, *, layout: Literal["mono", "stereo"] = "mono", rate: int = 48_000
) -> bytes:
    """Return the tone in another form."""
    buffer = BytesIO()
    with av.open(BytesIO(tone()), "r") as source, av.open(buffer, "w", format=form) as target:
        stream = target.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        resampler = AudioResampler(
            format=stream.codec_context.format.name,
            layout=layout,
            rate=rate,
            frame_size=stream.codec_context.frame_size or None,
        )
        for frame in [*source.decode(audio=0), None]:
            for part in resampler.resample(frame):
                target.mux(stream.encode(part))
        target.mux(stream.encode(None))
    return buffer.getvalue()


def video(form: str = "mp4", codec: str = "libx264", *, width: int = 64, height: int = 48) -> bytes:
    """Return a video of two seconds without sound."""
    buffer = BytesIO()
    image = Image.open(BytesIO(picture(width, height)))
    with av.open(buffer, "w", format=form) as target:
        stream = target.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(SECONDS * 10):
            frame = av.VideoFrame.from_image(image.rotate(number))  # type: ignore[no-untyped-call]
            frame.pts, frame.time_base = number, Fraction(1, 10)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return buffer.getvalue()


def busy_gif(*, side: int = 6_000, frames: int = 300) -> bytes:
    """Return a small GIF that takes minutes to read: the same huge picture again and again."""
    buffer = BytesIO()
    Image.new("P", (side, side)).save(buffer, "GIF")
    whole = buffer.getvalue()
    start = whole.index(b"\x2c", 13)  # of the picture, after the head and its colours
    return whole[:start] + whole[start:-1] * frames + b"\x3b"


def stored(directory: Path, name: str, data: bytes) -> Path:
    """Put a file somewhere."""
    path = directory / name
    path.write_bytes(data)
    return path
