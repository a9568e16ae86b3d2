"""Videos and GIFs: MP4 that every phone plays, how long and large they are, a picture of each."""

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer, OutputContainer
from PIL import Image, ImageSequence

from gateway_worker.media.inspection.helper.containers import opened, whole_seconds
from gateway_worker.media.inspection.helper.images import flat, thumbnail
from gateway_worker.media.inspection.helper.images import opened as opened_image
from gateway_worker.media.inspection.helper.refusal import DAMAGED, RefusalError, decoding
from gateway_worker.media.inspection.helper.types import MOVIES, check, real_type
from gateway_worker.media.inspection.protocol import OUTPUT, Found, Question

_CODECS: Final = frozenset({"h264", "hevc", "mpeg4", "h263"})
_SOUND_CODECS: Final = frozenset({"aac", "mp3", "mp3float", "amrnb", "amr_nb", "amrwb", "amr_wb"})
_LARGEST_PIXELS: Final = 8_192 * 4_320
_QUARTERS: Final = (90, 270)
_GIF_SIDE: Final = 640
"""Of the longer side of what is made of a GIF, at most."""
MAX_GIF_FRAMES: Final = 600
_GIF_RATE: Final = 1_000
"""Times of a GIF are told in milliseconds."""
_DEFAULT_MILLISECONDS: Final = 100
_SHORTEST_MILLISECONDS: Final = 20


def inspect_video(question: Question) -> Found:
    """Look at a video, and put that of another container into MP4."""
    found = real_type(question.path)
    check(found, MOVIES, kind="video")
    with Path(question.path).open("rb") as file, opened(file, "mp4") as container:
        stream = _stream(container)
        context = stream.codec_context
        length = container.duration
        converted = found == "video/quicktime"
        if converted:
            _put_into_mp4(container, Path(question.scratch, OUTPUT))
        picture = _first_picture(question.path)
    turned = picture.rotation % 360 in _QUARTERS
    width, height = context.width, context.height
    return Found(
        mime_type="video/3gpp" if found == "video/3gpp" else "video/mp4",
        converted=converted,
        seconds=None if length is None else whole_seconds(length / av.time_base),
        width=height if turned else width,
        height=width if turned else height,
        thumbnail=thumbnail(_upright(picture)),
    )


def inspect_gif(question: Question) -> Found:
    """Look at what is to play over and over: a video, or a GIF of which one is made."""
    if real_type(question.path) != "image/gif":
        return inspect_video(question)
    output = Path(question.scratch, OUTPUT)
    with opened_image(question.path, pixels=question.limits.pixels) as image:
        small = thumbnail(flat(image))
        width, height, milliseconds = _write_video(image, output)
    return Found(
        mime_type="video/mp4",
        converted=True,
        seconds=whole_seconds(milliseconds / 1_000),
        width=width,
        height=height,
        thumbnail=small,
    )


def _stream(container: InputContainer) -> av.VideoStream:
    if not container.streams.video:
        raise RefusalError("the file has no picture")
    stream = container.streams.video[0]
    codecs = [stream.codec_context.name, *(s.codec_context.name for s in container.streams.audio)]
    for codec in codecs:
        if codec not in _CODECS | _SOUND_CODECS:
            raise RefusalError(f"a video with the codec {codec} is not played by every phone")
    if stream.codec_context.width * stream.codec_context.height > _LARGEST_PIXELS:
        raise RefusalError(f"the video has more than {_LARGEST_PIXELS:,} pixels")
    return stream


def _first_picture(path: str) -> av.VideoFrame:
    with Path(path).open("rb") as file, opened(file, "mp4") as container:
        container.streams.video[0].codec_context.thread_count = 1
        for picture in container.decode(video=0):
            return picture
    raise RefusalError(DAMAGED)


def _upright(frame: av.VideoFrame) -> Image.Image:
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def _put_into_mp4(container: InputContainer, output: Path) -> None:
    """Copy video and sound as they are."""
    chosen = [container.streams.video[0], *container.streams.audio[:1]]
    with av.open(str(output), "w", format="mp4", options={"movflags": "+faststart"}) as target:
        copies = {stream.index: target.add_stream_from_template(stream) for stream in chosen}
        for packet in container.demux(chosen):
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)


def _write_video(image: Image.Image, output: Path) -> tuple[int, int, int]:
    """Make a video of a GIF's pictures; return its width, height and length in milliseconds."""
    scale = min(1.0, _GIF_SIDE / max(image.size))
    width, height = (max(2, round(side * scale) // 2 * 2) for side in image.size)
    milliseconds = 0
    with av.open(str(output), "w", format="mp4", options={"movflags": "+faststart"}) as target:
        stream = target.add_stream("libx264", rate=_GIF_RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.time_base = stream.codec_context.time_base = Fraction(1, _GIF_RATE)
        with decoding():
            for number, picture in enumerate(ImageSequence.Iterator(image)):
                if number >= MAX_GIF_FRAMES:
                    break
                resized = flat(picture).resize((width, height), Image.Resampling.BILINEAR)
                _encode(target, stream, resized, milliseconds)
                milliseconds += _shown(picture)
        target.mux(stream.encode(None))
    return width, height, milliseconds


def _encode(
    target: OutputContainer, stream: av.VideoStream, picture: Image.Image, milliseconds: int
) -> None:
    frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
    frame.pts, frame.time_base = milliseconds, Fraction(1, _GIF_RATE)
    target.mux(stream.encode(frame))


def _shown(picture: Image.Image) -> int:
    given = picture.info.get("duration", 0)
    return int(given) if given >= _SHORTEST_MILLISECONDS else _DEFAULT_MILLISECONDS
