"""A collection of stickers."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

_TEXT_CHARACTERS: Final = 4_096


def _convert(value: Any, _people: People) -> Converted:
    content = {
        "kind": "sticker_pack",
        "name": short(value.name, _TEXT_CHARACTERS),
        "stickers": len(value.stickers),
    }
    if value.publisher:
        content["publisher"] = short(value.publisher, _TEXT_CHARACTERS)
    is_cut = any(len(text) > _TEXT_CHARACTERS for text in (value.name, value.publisher))
    return Converted(content=content, is_partial=is_cut)


KIND: Final = Kind(name="sticker_pack", compose=None, fields={"stickerPackMessage": _convert})
