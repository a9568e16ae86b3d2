"""Audio and voice messages: how long they are, how loud when, and the codec that each needs."""

import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import av
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from gateway_worker.media.inspection.helper.containers import opened, whole_seconds
from gateway_worker.media.inspection.helper.refusal import DAMAGED, RefusalError
from gateway_worker.media.inspection.helper.types import SOUNDS, check, real_type
from gateway_worker.media.inspection.protocol import OUTPUT, WAVEFORM_VALUES, Found, Question

VOICE: Final = "audio/ogg; codecs=opus"
_AS_THEY_ARE: Final = {
    ("mp3", "mp3"): "audio/mpeg",
    ("mp3", "mp3float"): "audio/mpeg",
    ("mp4", "aac"): "audio/mp4",
    ("aac", "aac"): "audio/aac",
    ("amr", "amrnb"): "audio/amr",
    ("amr", "amr_nb"): "audio/amr",
    ("ogg", "opus"): VOICE,
}
"""By demuxer and codec, what every client of WhatsApp plays."""
_LOUDEST: Final = 100
_PEAKS_PER_SECOND: Final = 50
_HEARD_RATE: Final = 8_000
"""Enough to know how loud it is."""
_OPUS_RATE: Final = 48_000
_VOICE_BITS_PER_SECOND: Final = 32_000
_AUDIO_BITS_PER_SECOND: Final = 128_000


def inspect_audio(question: Question) -> Found:
    """Look at audio, and make AAC of what WhatsApp does not play."""
    demuxer = _demuxer(question, kind="audio")
    with Path(question.path).open("rb") as file, opened(file, demuxer) as container:
        codec = _stream(container).codec_context.name
        length = _length(container)
        mime_type = _AS_THEY_ARE.get((demuxer, codec))
        has_picture = any(not _is_cover(stream) for stream in container.streams.video)
        if mime_type is not None and not has_picture and length is not None:
            return Found(mime_type=mime_type, seconds=whole_seconds(length))
        if mime_type is not None and not has_picture:
            return Found(
                mime_type=mime_type, seconds=whole_seconds(_Loudness.of(container).seconds)
            )
        seconds = _convert(container, Path(question.scratch, OUTPUT), to_voice=False).seconds
    return Found(mime_type="audio/mp4", converted=True, seconds=whole_seconds(seconds))


def inspect_voice(question: Question) -> Found:
    """Look at a voice message, and make Opus of it unless it is that, with one channel."""
    demuxer = _demuxer(question, kind="voice")
    with Path(question.path).open("rb") as file, opened(file, demuxer) as container:
        context = _stream(container).codec_context
        is_fit = demuxer == "ogg" and context.name in {"opus", "libopus"} and context.channels == 1
        if is_fit and len(container.streams) == 1:
            loudness = _Loudness.of(container)
        else:
            loudness = _convert(container, Path(question.scratch, OUTPUT), to_voice=True)
            is_fit = False
    return Found(
        mime_type=VOICE,
        converted=not is_fit,
        seconds=whole_seconds(loudness.seconds),
        waveform=loudness.waveform(),
    )


def _demuxer(question: Question, *, kind: str) -> str:
    found = real_type(question.path)
    check(found, SOUNDS, kind=kind)
    return SOUNDS[found]


def _stream(container: InputContainer) -> av.AudioStream:
    """Return the first stream of sound."""
    if not container.streams.audio:
        raise RefusalError("the file has no sound")
    return container.streams.audio[0]


def _is_cover(stream: av.VideoStream) -> bool:
    """Whether a picture is only that of an album."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _length(container: InputContainer) -> float | None:
    """Return the seconds that a container declares."""
    return None if container.duration is None else container.duration / av.time_base


class _Loudness:
    """How loud it was, bit by bit.

    Attributes:
        seconds: How long that was.
    """

    def __init__(self) -> None:
        self._resampler = AudioResampler(format="s16", layout="mono", rate=_HEARD_RATE)
        self._peaks: list[int] = []
        self._samples = 0

    @classmethod
    def of(cls, container: InputContainer) -> "_Loudness":
        """Hear all of a container's sound."""
        loudness = cls()
        for frame in container.decode(audio=0):
            loudness.hear(frame)
        loudness.hear(None)
        return loudness

    @property
    def seconds(self) -> float:
        """The length of what was heard."""
        return self._samples / _HEARD_RATE

    def hear(self, frame: av.AudioFrame | None) -> None:
        """Take the next frame; None at the end."""
        step = _HEARD_RATE // _PEAKS_PER_SECOND
        for heard in self._resampler.resample(frame):
            samples = array.array("h", bytes(heard.planes[0])[: heard.samples * 2])
            self._samples += len(samples)
            for start in range(0, len(samples), step):
                part = samples[start : start + step]
                loudest, lowest = max(part), min(part)
                self._peaks.append(max(loudest, -lowest))

    def waveform(self) -> bytes:
        """Return 64 values, the loudest of which is 100."""
        if not self._peaks:
            raise RefusalError(DAMAGED)
        loudest = max(1, *self._peaks)
        count = len(self._peaks)
        bounds = [number * count // WAVEFORM_VALUES for number in range(WAVEFORM_VALUES + 1)]
        return bytes(
            max(self._peaks[start : max(end, start + 1)]) * _LOUDEST // loudest
            for start, end in pairwise(bounds)
        )


def _convert(container: InputContainer, output: Path, *, to_voice: bool) -> _Loudness:
    """Write the sound anew, as Opus in Ogg or as AAC in MP4, and tell how loud it was."""
    source = _stream(container)
    loudness = _Loudness()
    with av.open(str(output), "w", format="ogg" if to_voice else "ipod") as target:
        rate = _OPUS_RATE if to_voice else _aac_rate(source.codec_context.sample_rate)
        layout = "mono" if to_voice else "stereo"
        stream = target.add_stream("libopus" if to_voice else "aac", rate=rate, layout=layout)
        stream.bit_rate = _VOICE_BITS_PER_SECOND if to_voice else _AUDIO_BITS_PER_SECOND
        if to_voice:
            stream.codec_context.options = {"application": "voip"}
        for frame in _resampled(container, rate, layout, stream, loudness):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    if not loudness.seconds:
        raise RefusalError(DAMAGED)
    return loudness


def _resampled(
    container: InputContainer,
    rate: int,
    layout: str,
    stream: av.AudioStream,
    loudness: _Loudness,
) -> Iterator[av.AudioFrame]:
    """Return the sound as an encoder takes it, and let it be heard."""
    resampler = AudioResampler(
        format=stream.codec_context.format.name,
        layout=layout,
        rate=rate,
        frame_size=stream.codec_context.frame_size or None,
    )
    for frame in container.decode(audio=0):
        loudness.hear(frame)
        frame.pts = None
        yield from resampler.resample(frame)
    loudness.hear(None)
    yield from resampler.resample(None)


def _aac_rate(rate: int) -> int:
    return rate if rate in {44_100, 48_000} else 44_100
