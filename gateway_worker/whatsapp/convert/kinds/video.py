"""Videos: with sound, as a GIF, or as a round video note."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.captions import caption_of
from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.media import file_of
from gateway_worker.whatsapp.convert.people import People


def _video(value: Any, people: People) -> Converted:
    return _convert(value, people, is_note=False)


def _note(value: Any, people: People) -> Converted:
    return _convert(value, people, is_note=True)


def _convert(value: Any, people: People, *, is_note: bool) -> Converted:
    file = file_of(value, MediaType.VIDEO)
    caption, is_whole = caption_of(value, people)
    content = {
        "kind": "video",
        "media": file.told,
        **caption,
        "gif": value.gifPlayback,
        "video_note": is_note,
        "view_once": value.viewOnce,
    }
    is_partial = file.is_partial or not is_whole
    return Converted(content=content, is_partial=is_partial, media=file.reference)


KIND: Final = Kind(
    name="video", compose=None, fields={"videoMessage": _video, "ptvMessage": _note}
)
