"""Stickers."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.media import file_of
from gateway_worker.whatsapp.convert.people import People


def _convert(value: Any, _people: People) -> Converted:
    file = file_of(value, MediaType.IMAGE)
    is_animated = value.isAnimated or value.isLottie
    content = {"kind": "sticker", "media": file.told, "animated": is_animated}
    return Converted(content=content, is_partial=file.is_partial, media=file.reference)


KIND: Final = Kind(name="sticker", compose=None, fields={"stickerMessage": _convert})
