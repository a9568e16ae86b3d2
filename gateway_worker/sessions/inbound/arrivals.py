"""What arrives, read as events of the contract: from a host of this worker, or from another worker.

What came from a stranger is told in part if it does not fit the contract, and never raises.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec
from pydantic import BaseModel, ValidationError

from gateway_contracts import (
    MessageReceipt,
    MessageReceived,
    MessageSent,
    MessageUndecryptable,
    MessageUndecryptableData,
    UndecryptableReason,
    parse_event,
)
from gateway_contracts.events.message import MessageEvent
from gateway_worker.host_protocol.envelope import Event
from gateway_worker.host_protocol.ids import ID_CHARACTERS, stand_in

ARRIVALS: Final[Mapping[str, type[Any]]] = {
    model.model_fields["type"].default: model for model in get_args(MessageEvent)
}
"""The events that a host may tell, by their `type`: a host that is not itself any more cannot tell
how a command has ended."""
_DATA: Final[Mapping[str, type[BaseModel]]] = {
    name: model.model_fields["data"].annotation for name, model in ARRIVALS.items()
}


def arrival(event: Event, *, source: str, session_id: str) -> tuple[MessageEvent, bool]:
    """Return a host's event as the contract has it, and whether it is that as the host told it.

    Args:
        event: From the session's host.
        source: The `source` of the event.
        session_id: Whose it is.
    """
    raw = bytes(event.data)
    data, fits = _data(event.type, raw)
    if data is None:
        unreadable = _unreadable(raw)
        return MessageUndecryptable(source=source, subject=session_id, data=unreadable), False
    model = ARRIVALS[event.type]
    found: MessageEvent = model(source=source, subject=session_id, data=data)
    return found, fits


def forwarded(event: bytes, *, session_id: str) -> MessageEvent:
    """Return an event as another worker has told it, which had the session when it arrived.

    Raises:
        ValueError: It is no arrival, or one of another session.
    """
    parsed = parse_event(event)
    if parsed.subject != session_id:
        raise ValueError("it is about another session")
    if not isinstance(
        parsed, MessageReceived | MessageSent | MessageReceipt | MessageUndecryptable
    ):
        raise ValueError("no arrival")  # noqa: TRY004 - the type is right, the event is not
    return parsed


def _data(event_type: str, data: bytes) -> tuple[BaseModel | None, bool]:
    """Return an event's data and whether it is whole; None if nothing of it can be told."""
    model = _DATA.get(event_type)
    if model is None:
        return None, False
    try:
        return model.model_validate_json(data), True
    except ValidationError as error:
        if any(fault["loc"][:1] != ("content",) for fault in error.errors(include_url=False)):
            return None, False
    value = msgspec.json.decode(data)
    content = value["content"]
    kind = str(content.get("kind") if isinstance(content, dict) else None)[:ID_CHARACTERS]
    value |= {"content": {"kind": "unsupported", "message_type": kind}, "partial": True}
    return model.model_validate_json(msgspec.json.encode(value)), False


def _unreadable(data: bytes) -> MessageUndecryptableData:
    return MessageUndecryptableData(
        message_id=stand_in(data), reason=UndecryptableReason.UNREADABLE
    )
