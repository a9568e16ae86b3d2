"""Pictures."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.captions import caption_of
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.media import attached, file_of, outlined, wrapped
from gateway_worker.whatsapp.convert.people import People


def _compose(content: Content, composing: Composing) -> Any:
    library, is_view_once = composing.library, content.get("view_once", False)
    image = library.ImageMessage(
        **attached(composing.attachment, "width", "height", "thumbnail"),
        caption=content.get("caption"),
        viewOnce=is_view_once or None,
        contextInfo=composing.context,
    )
    if is_view_once:
        return wrapped(library, "viewOnceMessageV2", imageMessage=image)
    return library.Message(imageMessage=image)


def _quote(content: Content, composing: Composing) -> Any:
    library, outline = composing.library, outlined(content["media"], "width", "height")
    image = library.ImageMessage(**outline, caption=content.get("caption"))
    return library.Message(imageMessage=image)


def _convert(value: Any, people: People) -> Converted:
    file = file_of(value, MediaType.IMAGE)
    caption, is_whole = caption_of(value, people)
    return Converted(
        content={"kind": "image", "media": file.told, **caption, "view_once": value.viewOnce},
        is_partial=file.is_partial or not is_whole,
        media=file.reference,
    )


KIND: Final = Kind(name="image", compose=_compose, quote=_quote, fields={"imageMessage": _convert})
