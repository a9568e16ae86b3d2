"""A message that stays although its chat's messages disappear."""

import time
from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People

_KEPT, _LET_GO = 1, 2
"""The library's numbers of the types."""


def _compose(content: Content, composing: Composing) -> Any:
    keep = composing.library.KeepInChatMessage(
        key=composing.about,
        keepType=_KEPT if content.get("kept", True) else _LET_GO,
        timestampMS=time.time_ns() // 1_000_000,
    )
    return composing.library.Message(keepInChatMessage=keep)


def _convert(value: Any, _people: People) -> Converted:
    is_kept = value.keepType != _LET_GO
    return Converted(content={"kind": "keep", "kept": is_kept}, about=value.key)


KIND: Final = Kind(
    name="keep",
    compose=_compose,
    fields={"keepInChatMessage": _convert},
    event="wa.message.kept.v1",
)
