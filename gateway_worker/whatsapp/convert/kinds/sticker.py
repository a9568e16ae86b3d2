"""Stickers."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.media import attached, file_of, outlined
from gateway_worker.whatsapp.convert.people import People


def _compose(_content: Content, composing: Composing) -> Any:
    library, attachment = composing.library, composing.attachment
    sticker = library.StickerMessage(
        **attached(attachment, "width", "height"),
        isAnimated=attachment is not None and attachment.animated,
        contextInfo=composing.context,
    )
    return library.Message(stickerMessage=sticker)


def _quote(content: Content, composing: Composing) -> Any:
    library, outline = composing.library, outlined(content["media"], "width", "height")
    sticker = library.StickerMessage(**outline, isAnimated=content.get("animated") or None)
    return library.Message(stickerMessage=sticker)


def _convert(value: Any, _people: People) -> Converted:
    file = file_of(value, MediaType.IMAGE)
    is_animated = value.isAnimated or value.isLottie
    content = {"kind": "sticker", "media": file.told, "animated": is_animated}
    return Converted(content=content, is_partial=file.is_partial, media=file.reference)


KIND: Final = Kind(
    name="sticker", compose=_compose, quote=_quote, fields={"stickerMessage": _convert}
)
