"""What arrives from WhatsApp: recorded, and acknowledged to the host's spool after the commit."""

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial

import structlog

from gateway_contracts import (
    MessageData,
    MessageReceipt,
    MessageReceiptData,
    MessageReceived,
    MessageSent,
    MessageUndecryptable,
    MessageUndecryptableData,
    Quoted,
)
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import (
    Change,
    Committed,
    Direction,
    MessageRow,
    ReceiptRow,
)
from gateway_worker.sessions.hosting import InboundMessage, InboundReceipt, UndecryptableMessage
from gateway_worker.sessions.ports import MessageStore

log = structlog.get_logger(__name__)

Acknowledge = Callable[[int], None]

_REMEMBERED_RECEIPTS = 1_000
_REMEMBERED_UNREADABLE = 1_000
_SEND_SECONDS = 2.0
"""How long a receipt waits for the send that is under way, whose message it may be about."""
_TURNS = 4
"""A receipt may be here before the send that it is for has had its turn of the event loop."""


class SentIndex:
    """Which command sent which message: the recent ones from memory, the rest from the database."""

    def __init__(self, *, session_id: str, messages: MessageStore, size: int) -> None:
        self._session_id = session_id
        self._messages = messages
        self._size = size
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._idle = asyncio.Event()
        self._idle.set()

    def remember(self, message_id: str, command_id: str) -> None:
        """Note a message that was just sent."""
        self._recent[message_id] = command_id
        if len(self._recent) > self._size:
            self._recent.popitem(last=False)

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        """Note that a message is being sent: its receipt may be here before its id is known."""
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    async def command_of(self, message_id: str) -> str | None:
        """Return the command that sent a message, or None (it was sent from the phone)."""
        if (command_id := await self._recently(message_id)) is not None:
            return command_id
        if not self._idle.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._idle.wait()
            if (command_id := await self._recently(message_id)) is not None:
                return command_id
        # Whoever asks has a record in hand, and cannot give it back if the database is away.
        return await until_answered(
            lambda: self._messages.command_of(self._session_id, message_id),
            name="messages.command_of",
        )

    async def _recently(self, message_id: str) -> str | None:
        for _ in range(_TURNS):
            if command_id := self._recent.get(message_id):
                return command_id
            await asyncio.sleep(0)
        return None


class RecentSet:
    """The last so many things that were added.

    Args:
        size: How many are remembered.
    """

    def __init__(self, *, size: int) -> None:
        self._size = size
        self._items: OrderedDict[Hashable, None] = OrderedDict()

    def add(self, item: Hashable) -> bool:
        """Add a thing; False if it was remembered already."""
        if item in self._items:
            return False
        self._items[item] = None
        if len(self._items) > self._size:
            self._items.popitem(last=False)
        return True


class Inbound:
    """Turns arrivals into changes.

    Args:
        session_id: Whose arrivals they are.
        source: The `source` of the events.
        sent: For the `correlationid` of receipts.
        record: Queues a change under the session's epoch.
        unacknowledged: How many records may await their commit before the caller has to wait.
        keep_refused: Keeps a change that the database refuses for good, or raises OSError.
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
        keep_refused: Callable[[Change], None],
    ) -> None:
        self._session_id = session_id
        self._source = source
        self._sent = sent
        self._record = record
        self._epoch = epoch
        self._limit = unacknowledged
        self._open: deque[asyncio.Future[Committed]] = deque()
        self._receipts = RecentSet(size=_REMEMBERED_RECEIPTS)
        self._unreadable = RecentSet(size=_REMEMBERED_UNREADABLE)
        self._keep_refused = keep_refused
        self._stuck = False

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
        """Record a receipt: one event for each message it names.

        Every device of a recipient sends its own; the second says nothing new.
        """
        changes = [
            await self._receipt_change(receipt, message_id)
            for message_id in receipt.message_ids
            if self._receipts.add((message_id, receipt.participant.jid, receipt.status))
        ]
        await self._submit(changes, receipt.record, acknowledge)

    async def undecryptable(self, word: UndecryptableMessage, acknowledge: Acknowledge) -> None:
        """Record that a message could not be read: once, however often WhatsApp sends it."""
        if not self._unreadable.add((word.message_id, word.reason)):
            await self._submit((), word.record, acknowledge)
            return
        event = MessageUndecryptable(
            source=self._source,
            subject=self._session_id,
            data=MessageUndecryptableData(
                message_id=word.message_id,
                chat=word.chat,
                sender=None if word.sender is None else word.sender.jid,
                reason=word.reason,
                timestamp=word.timestamp,
            ),
        )
        change = Change(session_id=self._session_id, epoch=self._epoch, events=(event,))
        await self._submit((change,), word.record, acknowledge)

    async def _receipt_change(self, receipt: InboundReceipt, message_id: str) -> Change:
        event = MessageReceipt(
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
        )
        row = ReceiptRow(
            message_id=message_id,
            participant=receipt.participant.jid,
            status=receipt.status,
            timestamp=receipt.timestamp,
        )
        return Change(session_id=self._session_id, epoch=self._epoch, events=(event,), receipt=row)

    async def _submit(
        self, changes: Sequence[Change], record: int, acknowledge: Acknowledge
    ) -> None:
        for change in changes:
            future = self._record(change)
            future.add_done_callback(partial(self._settle, change))
            self._open.append(future)
        if not self._open:
            if not self._stuck:
                acknowledge(record)
            return
        # Changes are committed in order: the last one's commit covers those before it, also where
        # this record brought nothing new.
        self._open[-1].add_done_callback(lambda done: self._committed(done, record, acknowledge))
        while len(self._open) > self._limit:
            await asyncio.wait((self._open[0],))
            while self._open and self._open[0].done():
                self._open.popleft()

    def _settle(self, change: Change, done: "asyncio.Future[Committed]") -> None:
        """Keep what the database refuses for good: the next acknowledgement covers it too."""
        if done.cancelled() or not (error := done.exception()):
            return
        ids = [event.id for event in change.events]
        try:
            self._keep_refused(change)
        except OSError:
            # Not kept, so nothing is acknowledged from here on, and a restart tries it again.
            self._stuck = True
            log.exception("inbound.refusal_not_kept", session_id=self._session_id, events=ids)
        else:
            log.error(
                "inbound.refused",
                session_id=self._session_id,
                events=ids,
                reason=type(error).__name__,
            )

    def _committed(
        self, done: "asyncio.Future[Committed]", record: int, acknowledge: Acknowledge
    ) -> None:
        while self._open and self._open[0].done():
            self._open.popleft()
        if done.cancelled():
            return  # the worker stops; the spool replays it
        is_fenced = done.exception() is None and done.result().fenced
        if not is_fenced and not self._stuck:
            acknowledge(record)
