"""What arrives, read as events of the contract: from a host of this worker, or from another worker.

What came from a stranger is told in part if it does not fit the contract, and never raises.
"""

import uuid
from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec
import orjson
from pydantic import BaseModel, ValidationError

from gateway_contracts import (
    HistoryMessages,
    MessageUndecryptable,
    MessageUndecryptableData,
    UndecryptableReason,
    encode,
    parse_event,
)
from gateway_contracts.events import Arriving, Notice
from gateway_contracts.events.presence import PresenceEvent
from gateway_worker.host_protocol.envelope import Event, VolatileEvent
from gateway_worker.host_protocol.ids import ID_CHARACTERS, stand_in
from gateway_worker.media.arriving.intake import kept_form, restored
from gateway_worker.media.arriving.records import MediaRow
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.chats import STATUS_CHAT

ARRIVALS: Final[Mapping[str, type[Any]]] = {
    model.model_fields["type"].default: model for model in get_args(Arriving)
}
"""The events that a host may tell, by their `type`: a host that is not itself any more cannot tell
how a command has ended."""
NOTICES: Final = frozenset(str(model.model_fields["type"].default) for model in get_args(Notice))
"""The types of those that are no messages: they leave nothing in the tables of messages."""
TOLD_ONCE: Final = NOTICES - {
    str(model.model_fields["type"].default) for model in get_args(PresenceEvent)
} | {str(HistoryMessages.model_fields["type"].default)}
"""The types of those whose repeats have the same id, and are not told again (`Change.once`). What
is of a moment only is not among them: it neither waits in a spool nor at WhatsApp."""
_OF_NOTICES: Final = uuid.UUID("6a991903-2109-5cba-940f-248a49ce9e0c")
"""The name space of their ids."""
_MEDIA: Final = "mediareference"
"""The member of a kept event that has what is to be stored of its file."""
_DATA: Final[Mapping[str, type[BaseModel]]] = {
    name: model.model_fields["data"].annotation for name, model in ARRIVALS.items()
}
_MESSAGES: Final = {
    (False, False): "wa.message.received.v1",
    (False, True): "wa.message.sent.v1",
    (True, False): "wa.status.received.v1",
    (True, True): "wa.status.posted.v1",
}
"""What is told of a message, by whether it is a status post and whether the account wrote it."""


def arrival(event: Event | VolatileEvent, *, source: str, session_id: str) -> tuple[Arriving, bool]:
    """Return a host's event as the contract has it, and whether it is that as the host told it.

    A notice that comes from the spool or from WhatsApp a second time gets the same id again, also
    from another process: that is all that tells it from a new one. It is made of what the library
    has told, not of the event, which says more as more is known of people.

    Args:
        event: From the session's host.
        source: The `source` of the event.
        session_id: Whose it is.
    """
    raw = bytes(event.data)
    type_, data, fits = _told(event.type, raw)
    named: dict[str, Any] = {"source": source, "subject": session_id, "data": data}
    if type_ in TOLD_ONCE and isinstance(event, Event) and event.identity:
        text = f"{session_id} {type_} {event.identity}"
        named["id"] = str(uuid.uuid5(_OF_NOTICES, text))
    found: Arriving = ARRIVALS[type_](**named)
    return found, fits


def passed_on(change: Change) -> tuple[bytes, ...]:
    """Return the events of a change as they are kept, or sent to another worker.

    What is to be stored of a message's file is a member of its event that no contract knows.
    """
    events = [encode(event) for event in change.events]
    if change.media is not None:
        kept = orjson.dumps({_MEDIA: kept_form(change.media)})
        events[0] = b"%b,%b" % (events[0][:-1], kept[1:])
    return tuple(events)


def forwarded(event: bytes, *, session_id: str) -> tuple[Arriving, MediaRow | None]:
    """Return an event as another worker has told it, which had the session when it arrived.

    Raises:
        ValueError: It is no arrival, or one of another session.
    """
    parsed = parse_event(event)
    if parsed.subject != session_id:
        raise ValueError("it is about another session")
    if not isinstance(parsed, Arriving):
        raise ValueError("no arrival")  # noqa: TRY004 - the type is right, the event is not
    return parsed, _media_of(parsed, event)


def _media_of(parsed: Arriving, event: bytes) -> MediaRow | None:
    """Return the file that is kept beside an event. Raises ValueError."""
    if _MEDIA.encode() not in event:  # most have none, and need not be read again
        return None
    kept = orjson.loads(event).get(_MEDIA)
    return restored(parsed, kept) if isinstance(kept, str) else None


def _told(event_type: str, data: bytes) -> tuple[str, BaseModel, bool]:
    """Return an event's type and data, and whether it is whole.

    A content that does not fit stands for itself, as a message; nothing else of it has to change.
    """
    model = _DATA.get(event_type)
    if model is None:
        return _unreadable(data)
    try:
        return event_type, model.model_validate_json(data), True
    except ValidationError as error:
        if any(fault["loc"][:1] != ("content",) for fault in error.errors(include_url=False)):
            return _unreadable(data)
    value = msgspec.json.decode(data)
    content = value["content"]
    kind = str(content.get("kind") if isinstance(content, dict) else None)[:ID_CHARACTERS]
    value |= {"content": {"kind": "unsupported", "message_type": kind}, "partial": True}
    if event_type not in _MESSAGES.values():
        is_status = value.get("chat") == STATUS_CHAT
        event_type = _MESSAGES[is_status, bool(value.get("from_me"))]
    model = _DATA[event_type]
    return event_type, model.model_validate_json(msgspec.json.encode(value)), False


def _unreadable(data: bytes) -> tuple[str, BaseModel, bool]:
    told = MessageUndecryptableData(
        message_id=stand_in(data), reason=UndecryptableReason.UNREADABLE
    )
    return str(MessageUndecryptable.model_fields["type"].default), told, False
