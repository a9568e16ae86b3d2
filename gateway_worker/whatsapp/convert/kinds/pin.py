"""A message at the top of its chat."""

import time
from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People

_WEEK: Final = 604_800


def _compose(content: Content, composing: Composing) -> Any:
    library, is_pinned = composing.library, content.get("pinned", True)
    kinds = library.PinInChatMessage
    pin = library.PinInChatMessage(
        key=composing.about,
        type=kinds.PIN_FOR_ALL if is_pinned else kinds.UNPIN_FOR_ALL,
        senderTimestampMS=time.time_ns() // 1_000_000,
    )
    message = library.Message(pinInChatMessage=pin)
    if is_pinned:
        seconds = content.get("seconds", _WEEK)
        message.messageContextInfo.messageAddOnDurationInSecs = seconds
    return message


def _convert(value: Any, _people: People) -> Converted:
    is_pinned = value.type != value.UNPIN_FOR_ALL
    return Converted(content={"kind": "pin", "pinned": is_pinned}, about=value.key)


KIND: Final = Kind(
    name="pin",
    compose=_compose,
    fields={"pinInChatMessage": _convert},
    event="wa.message.pinned.v1",
)
