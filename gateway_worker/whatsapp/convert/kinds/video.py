"""Videos: with sound, as a GIF, or as a round video note."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.captions import caption_of
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.media import attached, file_of, outlined, wrapped
from gateway_worker.whatsapp.convert.people import People


def _compose(content: Content, composing: Composing) -> Any:
    library, is_view_once = composing.library, content.get("view_once", False)
    video = library.VideoMessage(
        **attached(composing.attachment, "seconds", "width", "height", "thumbnail"),
        caption=content.get("caption"),
        gifPlayback=content.get("gif") or None,
        viewOnce=is_view_once or None,
        contextInfo=composing.context,
    )
    shown = {_field_of(content): video}  # what is forwarded may be a note
    if is_view_once:
        return wrapped(library, "viewOnceMessageV2", **shown)
    return library.Message(**shown)


def _quote(content: Content, composing: Composing) -> Any:
    library, outline = composing.library, outlined(content["media"], "seconds", "width", "height")
    video = library.VideoMessage(
        **outline, caption=content.get("caption"), gifPlayback=content.get("gif") or None
    )
    return library.Message(**{_field_of(content): video})


def _field_of(content: Content) -> str:
    return "ptvMessage" if content.get("video_note") else "videoMessage"


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
    name="video",
    compose=_compose,
    quote=_quote,
    fields={"videoMessage": _video, "ptvMessage": _note},
)
