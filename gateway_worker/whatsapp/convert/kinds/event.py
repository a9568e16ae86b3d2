"""An appointment."""

from datetime import datetime
from typing import Any, Final

from gateway_worker.host_protocol.times import is_time, rfc3339
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

_TEXT_CHARACTERS: Final = 4_096
_TIMES: Final = {"starts_at": "startTime", "ends_at": "endTime"}
_TEXTS: Final = {"description": "description", "join_link": "joinLink"}


def _compose(content: Content, composing: Composing) -> Any:
    library = composing.library
    event = library.EventMessage(name=content["name"], contextInfo=composing.context)
    for ours, theirs in _TIMES.items():
        if moment := content.get(ours):
            setattr(event, theirs, int(datetime.fromisoformat(moment).timestamp()))
    for ours, theirs in _TEXTS.items():
        if text := content.get(ours):
            setattr(event, theirs, text)
    if place := content.get("place"):
        event.location.name = place
    return library.Message(eventMessage=event)


def _convert(value: Any, _people: People) -> Converted:
    texts = {ours: getattr(value, theirs) for ours, theirs in _TEXTS.items()}
    texts["place"] = value.location.name
    content: dict[str, Any] = {
        "kind": "event",
        "name": short(value.name, _TEXT_CHARACTERS),
        **{key: short(text, _TEXT_CHARACTERS) for key, text in texts.items() if text},
    }
    for ours, theirs in _TIMES.items():
        if is_time(seconds := getattr(value, theirs)):
            content[ours] = rfc3339(seconds)
    if value.isCanceled:
        content["canceled"] = True
    is_cut = any(len(text) > _TEXT_CHARACTERS for text in (value.name, *texts.values()))
    return Converted(content=content, is_partial=is_cut)


KIND: Final = Kind(
    name="event", compose=_compose, quote=_compose, fields={"eventMessage": _convert}
)
