"""What is stored of an arrival beside its event, and what tells its repeats.

An event that is not named here is announced and leaves nothing else behind.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, get_args

from gateway_contracts import (
    ChatRead,
    ChatTimerChanged,
    GroupAspect,
    GroupJoined,
    GroupUpdated,
    HistoryMessages,
    MessageData,
    MessageReceipt,
    MessageReceived,
    MessageSent,
    MessageUndecryptable,
    StatusPosted,
    StatusReceived,
)
from gateway_contracts.events import Arriving, Notice
from gateway_contracts.events.change import ChangeEvent
from gateway_worker.media.arriving.records import MediaRow
from gateway_worker.sessions.changes import (
    Change,
    Direction,
    MessageRow,
    ReadMark,
    ReceiptRow,
    TimerRow,
)
from gateway_worker.sessions.deferred import DeferredRow
from gateway_worker.sessions.inbound.arrivals import TOLD_ONCE

_MOST_SECONDS: Final = 2_147_483_647
_ROUNDED: Final = timedelta(minutes=5)
"""More than the library is wrong about when a group was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What an event leaves in the tables."""

    message: MessageRow | None = None
    receipt: ReceiptRow | None = None
    timer: TimerRow | None = None
    read: ReadMark | None = None


def _received(event: MessageReceived) -> Rows:
    seconds = event.data.disappearing_seconds
    return Rows(message=_message(event.data, Direction.IN), timer=_timer(event.data, seconds))


def _sent(event: MessageSent) -> Rows:
    seconds = event.data.disappearing_seconds
    return Rows(message=_message(event.data, Direction.OUT), timer=_timer(event.data, seconds))


def _status_received(event: StatusReceived) -> Rows:
    return Rows(message=_message(event.data, Direction.IN))  # its day is no setting of a chat


def _status_posted(event: StatusPosted) -> Rows:
    return Rows(message=_message(event.data, Direction.OUT))


def _changed(event: ChangeEvent) -> Rows:
    direction = Direction.OUT if event.data.from_me else Direction.IN
    seconds = event.data.content.seconds if isinstance(event, ChatTimerChanged) else None
    return Rows(message=_message(event.data, direction), timer=_timer(event.data, seconds))


def _timer(data: MessageData, seconds: int | None) -> TimerRow | None:
    """Return what a chat is set to, if a message says so; one that stays says nothing of it."""
    if seconds is None:
        return None
    return TimerRow(chat=data.chat, seconds=min(seconds, _MOST_SECONDS), set_at=data.timestamp)


def _group_joined(event: GroupJoined) -> Rows:
    """Return what a group is set to that the account is in; WhatsApp does not say since when."""
    details = event.data.details
    if details.disappearing_seconds is None or details.created_at is None:
        return _NONE
    set_at = details.created_at - _ROUNDED
    seconds = min(details.disappearing_seconds, _MOST_SECONDS)
    return Rows(timer=TimerRow(chat=event.data.chat, seconds=seconds, set_at=set_at))


def _group_updated(event: GroupUpdated) -> Rows:
    data = event.data
    if GroupAspect.TIMER not in data.what or data.timestamp is None:
        return _NONE
    seconds = min(data.disappearing_seconds or 0, _MOST_SECONDS)
    return Rows(timer=TimerRow(chat=data.chat, seconds=seconds, set_at=data.timestamp))


def _message(data: MessageData, direction: Direction) -> MessageRow:
    return MessageRow(
        chat=data.chat,
        message_id=data.message_id,
        direction=direction,
        sender=data.sender.jid,
        sender_lid=data.sender.lid,
        content=data.content,
        timestamp=data.timestamp,
    )


def _receipt(event: MessageReceipt) -> Rows:
    data = event.data
    return Rows(
        receipt=ReceiptRow(
            chat=data.chat,
            message_id=data.message_id,
            participant=data.participant.jid,
            participant_lid=data.participant.lid,
            status=data.status,
            timestamp=data.timestamp,
        )
    )


def _read(event: ChatRead) -> Rows:
    data = event.data
    return Rows(read=ReadMark(chat=data.chat, message_ids=data.message_ids, at=data.timestamp))


def _history(event: HistoryMessages) -> Rows:
    """Return what was read on the phone; the messages have been written before."""
    chat, read_until = event.data.chat, event.data.read_until
    if chat is None or read_until is None:
        return _NONE
    return Rows(read=ReadMark(chat=chat, message_ids=(), at=read_until))


def _of_receipt(event: MessageReceipt) -> Hashable:
    # Every device of a recipient sends its own; the second says nothing new.
    data = event.data
    return (data.chat, data.message_id, data.participant.jid, data.status)


def _of_notice(event: Notice | HistoryMessages) -> Hashable:
    return event.id  # which is that of its repeats, too


def _of_read(event: ChatRead) -> Hashable:
    # Each of the owner's devices tells it.
    data = event.data
    return (data.chat, data.message_ids)


def _of_undecryptable(event: MessageUndecryptable) -> Hashable:
    # It is told once for each reason, however often WhatsApp sends it.
    data = event.data
    return (data.chat, data.message_id, data.sender, data.reason)


_CHANGES: Final = tuple(str(model.model_fields["type"].default) for model in get_args(ChangeEvent))

ROWS: Final[Mapping[str, Callable[[Any], Rows]]] = {
    "wa.message.received.v1": _received,
    "wa.message.sent.v1": _sent,
    "wa.status.received.v1": _status_received,
    "wa.status.posted.v1": _status_posted,
    "wa.message.receipt.v1": _receipt,
    "wa.group.joined.v1": _group_joined,
    "wa.group.updated.v1": _group_updated,
    "wa.chat.read.v1": _read,
    "wa.history.messages.v1": _history,
    **dict.fromkeys(_CHANGES, _changed),
}
"""By the event's `type`."""

MESSAGE_TYPES: Final = frozenset(
    {
        "wa.message.received.v1",
        "wa.message.sent.v1",
        "wa.status.received.v1",
        "wa.status.posted.v1",
        *_CHANGES,
    }
)
"""Those of messages, and of what changes some."""

REPEATS: Final[Mapping[str, Callable[[Any], Hashable]]] = {
    "wa.message.receipt.v1": _of_receipt,
    "wa.chat.read.v1": _of_read,
    "wa.message.undecryptable.v1": _of_undecryptable,
    **dict.fromkeys(TOLD_ONCE, _of_notice),
}
"""What an event has in common with its repeats, if the history does not know them."""
KNOWN_AGAIN: Final = TOLD_ONCE | {"wa.message.receipt.v1"}
"""The types of those whose repeats the database knows as well, by receipts or by ids."""


def change_of(
    event: Arriving,
    *,
    session_id: str,
    epoch: int,
    media: MediaRow | None = None,
    deferred: DeferredRow | None = None,
) -> Change:
    """Return the change that records an arrival, with the file that came with it.

    Also with the command that is to follow from it.

    One that is in the history, or was told, already changes nothing: see `Change`.
    """
    rows = _NONE if (stored := ROWS.get(event.type)) is None else stored(event)
    return Change(
        session_id=session_id,
        epoch=epoch,
        events=(event,),
        message=rows.message,
        receipt=rows.receipt,
        media=media,
        timer=rows.timer,
        read=rows.read,
        deferred=deferred,
        once=event.type in TOLD_ONCE,
    )


_NONE: Final = Rows()
