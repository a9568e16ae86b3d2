"""Sends of which a former owner's disk tells what became of them, when that disk is back.

A session whose worker is gone goes on elsewhere, and what its host had noted of the send that ran
is on the lost disk; so that send ends as uncertain, and nobody knows which message it would be. If
the disk comes back, what it has is told to the session's present owner, and a command that was
uncertain gets its message, or its good end. One that has no end yet gets it when its turn comes:
what was told is kept with it until then, for the disk is cleared, and the owner may change again.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol, Self

import msgspec

from gateway_contracts import (
    CommandResolved,
    CommandResolvedData,
    Content,
    Evidence,
    SentInfo,
    StatusInfo,
    UnsupportedContent,
)
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.host_protocol.times import moment
from gateway_worker.host_protocol.wire import Wire
from gateway_worker.sessions.chats import STATUS_CHAT
from gateway_worker.sessions.send_journal import Acknowledged, SendTrace, Submitted

SEND: Final = "wa.message.send.v1"
SENDS: Final = (SEND, "wa.status.post.v1", "wa.status.delete.v1")
"""The types of commands whose message a disk may tell."""
CONTENT: Final[Content] = UnsupportedContent(message_type="unknown")
"""What the history has of such a message: what it said is known to its command's backend only."""
_REMEMBERED: Final = 100


class FoundSend(Wire, frozen=True, kw_only=True):
    """A command's message.

    Attributes:
        command_id: The command.
        chat: The conversation's id.
        message_id: The message's id there.
        sent: What WhatsApp's server has answered; None if nobody knows whether it has.
    """

    command_id: str
    chat: str
    message_id: str
    sent: Sent | None = None

    @classmethod
    def of(cls, command_id: str, trace: SendTrace) -> Self | None:
        """Return what a trace says; None if it names no message."""
        match trace:
            case Acknowledged(result=Sent() as sent):
                return cls(
                    command_id=command_id, chat=sent.chat, message_id=sent.message_id, sent=sent
                )
            case Submitted(chat=str() as chat, message_id=str() as message_id):
                return cls(command_id=command_id, chat=chat, message_id=message_id)
            case _:
                return None

    @property
    def trace(self) -> SendTrace:
        """What the owner would have found had the disk been its own."""
        if self.sent is not None:
            return Acknowledged(result=self.sent)
        return Submitted(chat=self.chat, message_id=self.message_id)

    @property
    def result(self) -> SentInfo | StatusInfo:
        """What a backend is told that was sent."""
        sent = self.sent
        timestamp = (sent and moment(sent.timestamp)) or datetime.now(UTC)
        left_out = 0 if sent is None else sent.devices_left_out
        info = sent_info(self.message_id, self.chat, timestamp)
        more = {"chat_lid": sent.chat_lid} if sent and isinstance(info, SentInfo) else {}
        return info.model_copy(update={"devices_left_out": left_out, **more})

    def resolved(
        self, *, source: str, session_id: str, command_type: str = SEND
    ) -> CommandResolved:
        """Return the event that tells the command's good end."""
        return CommandResolved(
            source=source,
            subject=session_id,
            correlationid=self.command_id,
            data=CommandResolvedData(
                command_type=command_type,
                result=self.result,
                evidence=Evidence.RECEIPT if self.sent is None else Evidence.ACKNOWLEDGEMENT,
            ),
        )


def sent_info(message_id: str, chat: str, timestamp: datetime) -> SentInfo | StatusInfo:
    """Return what a backend is told of a message that was sent after all."""
    kind = StatusInfo if chat == STATUS_CHAT else SentInfo
    return kind(message_id=message_id, chat=chat, timestamp=timestamp)


class UncertainSends(Protocol):
    """Asks the database for sends whose message is not known."""

    async def without_message(self, session_id: str) -> Sequence[str]:
        """Return the commands of a session that are uncertain, or executing: some, the latest.

        Those that are uncertain and whose message is known are left out. Raises `DependencyError`.
        """
        ...


class FoundSends:
    """What one session has been told of runs whose commands have not come to their end yet."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, FoundSend] = OrderedDict()

    def add(self, sends: Iterable[FoundSend]) -> None:
        """Take what was told."""
        for send in sends:
            self._found[send.command_id] = send
        while len(self._found) > _REMEMBERED:
            self._found.popitem(last=False)

    def trace_of(self, command_id: str) -> SendTrace | None:
        """Return what became of a command's run, if that was told."""
        send = self._found.get(command_id)
        return None if send is None else send.trace


_DECODER: Final = msgspec.json.Decoder(FoundSend)


def encode_found(send: FoundSend) -> bytes:
    """Return what is told of a send as JSON."""
    return msgspec.json.encode(send)


def decode_found(told: bytes) -> FoundSend:
    """Read what was told of a send. Raises ValueError."""
    return _DECODER.decode(told)
