"""What a host tells of arrivals, as tests look at it: read as the contract has it."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from gateway_contracts import (
    ChangeData,
    ChatRead,
    ChatTimerChanged,
    Content,
    MessageEdited,
    MessageKept,
    MessagePinned,
    MessageReaction,
    MessageReceipt,
    MessageReceived,
    MessageRevoked,
    MessageSent,
    MessageUndecryptable,
    PollVote,
    ReceiptStatus,
    StatusPosted,
    StatusReceived,
    UndecryptableReason,
)
from gateway_contracts.envelope import SessionEventData
from gateway_contracts.events import Participant
from gateway_worker.host_protocol.envelope import Event, FromHost, VolatileEvent
from gateway_worker.host_protocol.framing import FrameDecoder, encode
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.sessions.hosting import HostEvent
from gateway_worker.sessions.inbound.arrivals import arrival
from gateway_worker.whatsapp.convert.arrival import Arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """A message that arrived (`from_me`: written on the owner's phone)."""

    record: int
    message_id: str
    chat: str
    sender: Participant
    from_me: bool
    is_group: bool
    timestamp: datetime
    content: Content
    quoted_id: str | None
    quoted_participant: str | None
    offline: bool
    partial: bool
    recovered_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundReceipt:
    """News of one message; `last` if its record tells nothing more."""

    record: int
    last: bool
    message_id: str
    chat: str
    participant: Participant
    status: ReceiptStatus
    timestamp: datetime
    partial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UndecryptableMessage:
    """A message that could not be read; told each time that it comes."""

    record: int
    message_id: str
    chat: str | None
    sender: str | None
    timestamp: datetime | None
    reason: UndecryptableReason


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundNotice:
    """Something that has happened and is no message; without a record if it is volatile."""

    record: int | None
    event_id: str
    data: SessionEventData


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadElsewhere:
    """The account's owner has read messages on another device."""

    record: int
    chat: str
    message_ids: tuple[str, ...]
    timestamp: datetime


Arrived = InboundMessage | InboundReceipt | UndecryptableMessage | InboundNotice | ReadElsewhere


def arrived(event: Event, *, fits: bool = True) -> Arrived:
    """Return what an event of a host says; it has to fit the contract, or not to."""
    found, does_fit = arrival(event, source="/workers/w", session_id="s")
    assert does_fit is fits
    match found:
        case (
            MessageReceived(data=data)
            | MessageSent(data=data)
            | MessageEdited(data=data)
            | MessageRevoked(data=data)
            | MessageReaction(data=data)
            | PollVote(data=data)
            | MessagePinned(data=data)
            | MessageKept(data=data)
            | ChatTimerChanged(data=data)
            | StatusReceived(data=data)
            | StatusPosted(data=data)
        ):
            quoted = data.reply_to
            return InboundMessage(
                record=event.record,
                message_id=data.message_id,
                chat=data.chat,
                sender=data.sender,
                from_me=(
                    data.from_me
                    if isinstance(data, ChangeData)
                    else isinstance(found, MessageSent | StatusPosted)
                ),
                is_group=data.is_group,
                timestamp=data.timestamp,
                content=data.content,
                quoted_id=None if quoted is None else quoted.message_id,
                quoted_participant=None if quoted is None else quoted.participant,
                offline=data.offline,
                recovered_after=data.recovered_after,
                partial=data.partial,
            )
        case MessageReceipt(data=news):
            return InboundReceipt(
                record=event.record,
                last=event.last,
                message_id=news.message_id,
                chat=news.chat,
                participant=news.participant,
                status=news.status,
                timestamp=news.timestamp,
                partial=news.partial,
            )
        case ChatRead(data=read):
            return ReadElsewhere(
                record=event.record,
                chat=read.chat,
                message_ids=read.message_ids,
                timestamp=read.timestamp,
            )
        case MessageUndecryptable(data=word):
            return UndecryptableMessage(
                record=event.record,
                message_id=word.message_id,
                chat=word.chat,
                sender=word.sender,
                timestamp=word.timestamp,
                reason=word.reason,
            )
        case notice:
            return InboundNotice(record=event.record, event_id=notice.id, data=notice.data)


def through(arrival_: Arrival, *, record: int = 1) -> Arrived:
    """Send what a host has converted over the wire and return how it arrives; it has to fit."""
    sent = event(
        arrival_.type,
        arrival_.data,
        record=record,
        media=arrival_.media,
        identity=arrival_.identity,
    )
    decoder: FrameDecoder[FromHost] = FrameDecoder(msgspec.json.Decoder(FromHost))
    (read,) = decoder.feed(encode(sent))
    assert read == sent
    assert isinstance(read, Event)
    return arrived(read)


Seen = Arrived | HostEvent
"""What a host tells, its arrivals read."""


def seen(event: HostEvent) -> Seen:
    """Return what a host tells, its arrivals read."""
    if isinstance(event, VolatileEvent):
        notice, fits = arrival(event, source="/workers/w", session_id="s")
        assert fits
        return InboundNotice(record=None, event_id=notice.id, data=notice.data)
    return arrived(event) if isinstance(event, Event) else event


def event(
    type_: str,
    data: object,
    *,
    record: int = 1,
    part: int = 0,
    last: bool = True,
    media: MediaReference | None = None,
    identity: str = "",
) -> Event:
    """Return an event as a host tells it."""
    raw = msgspec.Raw(msgspec.json.encode(data))
    return Event(
        record=record, part=part, last=last, type=type_, data=raw, media=media, identity=identity
    )
