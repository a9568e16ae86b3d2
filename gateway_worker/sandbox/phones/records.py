"""What a phone has seen and written, and how its holder waits for more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway_worker.sandbox.phones.errors import UnknownMessageError
from gateway_worker.sandbox.phones.event_log import EventLog
from gateway_worker.sandbox.phones.values import ChatMessage, ReceiptKind, SeenPresence, SeenReceipt

PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlingError:
    """Something a phone could not handle; tests assert that there are none."""

    where: str
    error: Exception


class PhoneRecords:
    """The reading half of a phone.

    Attributes:
        inbox: messages from others, in order.
        own_messages: what this account wrote, here and on its companions.
        receipts: confirmations of what this account wrote.
        presences: what others have shown of themselves: that they are there, that they write.
        handling_errors: stanzas and scripts that failed.
    """

    def __init__(self) -> None:
        self.inbox: EventLog[ChatMessage] = EventLog(
            what="message", ids_of=_message_id, on_read=self.look
        )
        self.own_messages: EventLog[ChatMessage] = EventLog(
            what="own message", ids_of=_message_id, on_read=self.look
        )
        self.receipts: EventLog[SeenReceipt] = EventLog(
            what="receipt", ids_of=lambda seen: dict.fromkeys(seen.message_ids)
        )
        self.presences: EventLog[SeenPresence] = EventLog(what="presence")
        self.handling_errors: EventLog[HandlingError] = EventLog(what="error", on_read=self.look)

    def look(self) -> None:
        """Read what came while nobody looked; called before anything is read here."""

    @property
    def is_watched(self) -> bool:
        """Whether somebody waits for what comes."""
        return any(one.is_awaited for one in (self.inbox, self.own_messages, self.handling_errors))

    def message(self, message: str | ChatMessage) -> ChatMessage:
        """Find a message by id, newest first; a message is returned as it is.

        Raises:
            UnknownMessageError: neither received nor written here.
        """
        if isinstance(message, ChatMessage):
            return message
        for events in (self.inbox, self.own_messages):
            found = events.find(message)
            if found is not None:
                return found
        raise UnknownMessageError("this phone knows no message with this id")

    async def next_message(
        self,
        *,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - part of the error's text
    ) -> ChatMessage:
        """Return the next message from others that was not returned yet.

        Raises:
            NothingHappenedError: (a `TimeoutError`) none came in time.
        """
        return await self.inbox.next(timeout=timeout)

    async def wait_for_receipt(
        self,
        message_id: str,
        kind: ReceiptKind,
        *,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - part of the error's text
    ) -> SeenReceipt:
        """Return the first receipt of this kind for a message, past or to come.

        Raises:
            NothingHappenedError: (a `TimeoutError`) none came in time.
        """
        return await self.receipts.wait_for(
            lambda seen: seen.kind is kind, entry_id=message_id, timeout=timeout
        )


def _message_id(message: ChatMessage) -> tuple[str]:
    return (message.message_id,)
