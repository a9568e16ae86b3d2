"""What arrives from WhatsApp: recorded, and acknowledged to the host's spool after the commit."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import structlog

from gateway_contracts import (
    MessageData,
    MessageReceipt,
    MessageReceiptData,
    MessageReceived,
    MessageSent,
    Quoted,
)
from gateway_worker.sessions.changes import (
    Change,
    Committed,
    Direction,
    MessageRow,
    ReceiptRow,
)
from gateway_worker.sessions.ports import (
    InboundMessage,
    InboundReceipt,
    MessageStore,
)

log = structlog.get_logger(__name__)

Acknowledge = Callable[[int], None]


class SentIndex:
    """Which command sent which message: the recent ones from memory, the rest from the database."""

    def __init__(self, *, session_id: str, messages: MessageStore, size: int) -> None:
        self._session_id = session_id
        self._messages = messages
        self._size = size
        self._recent: OrderedDict[str, str] = OrderedDict()

    def remember(self, message_id: str, command_id: str) -> None:
        """Note a message that was just sent."""
        self._recent[message_id] = command_id
        if len(self._recent) > self._size:
            self._recent.popitem(last=False)

    async def command_of(self, message_id: str) -> str | None:
        """Return the command that sent a message, or None (it was sent from the phone)."""
        return self._recent.get(message_id) or await self._messages.command_of(
            self._session_id, message_id
        )


class Inbound:
    """Turns arrivals into changes.

    Args:
        session_id: Whose arrivals they are.
        source: The `source` of the events.
        sent: For the `correlationid` of receipts.
        record: Queues a change under the session's epoch.
        unacknowledged: How many records may await their commit before the caller has to wait.
    """

    def __init__(
        self,
        *,
        session_id: str,
        source: str,
        sent: SentIndex,
        record: Callable[[Change], "asyncio.Future[Committed]"],
        epoch: int,
        unacknowledged: int,
    ) -> None:
        self._session_id = session_id
        self._source = source
        self._sent = sent
        self._record = record
        self._epoch = epoch
        self._limit = unacknowledged
        self._open: deque[asyncio.Future[Committed]] = deque()

    async def message(self, message: InboundMessage, acknowledge: Acknowledge) -> None:
        """Record a message; `acknowledge` gets its record once it is committed."""
        data = MessageData(
            message_id=message.message_id,
            chat=message.chat,
            sender=message.sender,
            is_group=message.is_group,
            timestamp=message.timestamp,
            content=message.content,
            reply_to=Quoted(message_id=message.quoted_id, participant=message.quoted_participant)
            if message.quoted_id
            else None,
            offline=message.offline,
        )
        kind = MessageSent if message.from_me else MessageReceived
        change = Change(
            session_id=self._session_id,
            epoch=self._epoch,
            events=(kind(source=self._source, subject=self._session_id, data=data),),
            message=MessageRow(
                chat=message.chat,
                message_id=message.message_id,
                direction=Direction.OUT if message.from_me else Direction.IN,
                sender=message.sender.jid,
                content=message.content,
                timestamp=message.timestamp,
            ),
        )
        await self._submit((change,), message.record, acknowledge)

    async def receipt(self, receipt: InboundReceipt, acknowledge: Acknowledge) -> None:
        """Record a receipt: one event for each message it names."""
        changes = [
            Change(
                session_id=self._session_id,
                epoch=self._epoch,
                events=(
                    MessageReceipt(
                        source=self._source,
                        subject=self._session_id,
                        correlationid=await self._sent.command_of(message_id),
                        data=MessageReceiptData(
                            message_id=message_id,
                            chat=receipt.chat,
                            status=receipt.status,
                            participant=receipt.participant,
                            timestamp=receipt.timestamp,
                        ),
                    ),
                ),
                receipt=ReceiptRow(
                    message_id=message_id,
                    participant=receipt.participant.jid,
                    status=receipt.status,
                    timestamp=receipt.timestamp,
                ),
            )
            for message_id in receipt.message_ids
        ]
        await self._submit(changes, receipt.record, acknowledge)

    async def _submit(
        self, changes: Sequence[Change], record: int, acknowledge: Acknowledge
    ) -> None:
        if not changes:
            acknowledge(record)
            return
        futures = [self._record(change) for change in changes]
        # Changes are committed in order, so the last one's commit covers the others.
        futures[-1].add_done_callback(lambda done: self._committed(done, record, acknowledge))
        self._open.append(futures[-1])
        while len(self._open) > self._limit:
            await asyncio.wait((self._open[0],))
            while self._open and self._open[0].done():
                self._open.popleft()

    def _committed(
        self, done: "asyncio.Future[Committed]", record: int, acknowledge: Acknowledge
    ) -> None:
        while self._open and self._open[0].done():
            self._open.popleft()
        if done.cancelled():
            return  # the worker stops; the spool replays it
        if error := done.exception():
            log.error("inbound.not_recorded", session_id=self._session_id, reason=repr(error))
            return
        if not done.result().fenced:
            acknowledge(record)
