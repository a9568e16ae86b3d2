"""What arrives from WhatsApp: recorded, and acknowledged to the host's spool after the commit."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
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
from gateway_worker.sessions.changes import (
    Change,
    Committed,
    Direction,
    MessageRow,
    ReceiptRow,
)
from gateway_worker.sessions.hosting import InboundMessage, InboundReceipt, UndecryptableMessage
from gateway_worker.sessions.inbound.receipts import ReceiptQueue, SendsInProgress

log = structlog.get_logger(__name__)

Acknowledge = Callable[[int], None]

_REMEMBERED_RECEIPTS = 1_000
_REMEMBERED_UNREADABLE = 1_000


class Recent:
    """What became of the last so many things that were recorded.

    Args:
        size: How many are remembered.
    """

    def __init__(self, *, size: int) -> None:
        self._size = size
        self._items: OrderedDict[Hashable, asyncio.Future[Committed]] = OrderedDict()

    def get(self, item: Hashable) -> "asyncio.Future[Committed] | None":
        """Return the record of a thing; None if there is none, or it came to nothing."""
        found = self._items.get(item)
        is_void = found is not None and found.done() and not _counts(found)
        return None if is_void else found

    def put(self, item: Hashable, future: "asyncio.Future[Committed]") -> None:
        """Remember the record of a thing."""
        self._items[item] = future
        self._items.move_to_end(item)
        if len(self._items) > self._size:
            self._items.popitem(last=False)


class InboundRecorder:
    """Turns arrivals into changes.

    A record of the host's spool is acknowledged by itself, once all that it brought is committed or
    kept aside: one that waits for its send does not hold up those behind it.

    Args:
        session_id: Whose arrivals they are.
        source: The `source` of the events.
        record: Queues a change under the session's epoch.
        sends: The session's sends, for which receipts wait; None if there are none here.
        unacknowledged: How many changes may await their commit before the caller has to wait.
        quarantine: Keeps a change that the database refuses, or raises OSError. May block.
        on_quarantined: Called when one has been kept.
    """

    def __init__(
        self,
        *,
        session_id: str,
        source: str,
        record: Callable[[Change], "asyncio.Future[Committed]"],
        epoch: int,
        unacknowledged: int,
        quarantine: Callable[[Change], None],
        sends: SendsInProgress | None = None,
        on_quarantined: Callable[[], None] = lambda: None,
    ) -> None:
        self._session_id = session_id
        self._source = source
        self._record = record
        self._epoch = epoch
        self._limit = unacknowledged
        self._recording = 0
        self._room = asyncio.Event()
        self._receipts = Recent(size=_REMEMBERED_RECEIPTS)
        self._unreadable = Recent(size=_REMEMBERED_UNREADABLE)
        self._quarantine = quarantine
        self._on_quarantined = on_quarantined
        self._keeping: set[asyncio.Task[None]] = set()
        self._submit_receipt = (
            self._submit if sends is None else ReceiptQueue(record=self._submit, sends=sends).submit
        )

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
            partial=message.partial,
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
                sender_lid=message.sender.lid,
                content=message.content,
                timestamp=message.timestamp,
            ),
        )
        _settle((self._submit(change),), message.record, acknowledge)
        await self._until_room()

    async def receipt(self, receipt: InboundReceipt, acknowledge: Acknowledge) -> None:
        """Record a receipt: one event for each message it names.

        Every device of a recipient sends its own; the second says nothing new.
        """
        futures = []
        for message_id in receipt.message_ids:
            key = (receipt.chat, message_id, receipt.participant.jid, receipt.status)
            future = self._receipts.get(key)
            if future is None:
                future = self._submit_receipt(self._receipt_change(receipt, message_id))
                self._receipts.put(key, future)
                await self._until_room()
            futures.append(future)
        _settle(futures, receipt.record, acknowledge)

    async def undecryptable(self, word: UndecryptableMessage, acknowledge: Acknowledge) -> None:
        """Record that a message could not be read: once, however often WhatsApp sends it."""
        sender = None if word.sender is None else word.sender.jid
        key = (word.chat, word.message_id, sender, word.reason)
        future = self._unreadable.get(key)
        if future is None:
            event = MessageUndecryptable(
                source=self._source,
                subject=self._session_id,
                data=MessageUndecryptableData(
                    message_id=word.message_id,
                    chat=word.chat,
                    sender=sender,
                    reason=word.reason,
                    timestamp=word.timestamp,
                ),
            )
            change = Change(session_id=self._session_id, epoch=self._epoch, events=(event,))
            future = self._submit(change)
            self._unreadable.put(key, future)
        _settle((future,), word.record, acknowledge)
        await self._until_room()

    def _receipt_change(self, receipt: InboundReceipt, message_id: str) -> Change:
        event = MessageReceipt(
            source=self._source,
            subject=self._session_id,
            data=MessageReceiptData(
                message_id=message_id,
                chat=receipt.chat,
                status=receipt.status,
                participant=receipt.participant,
                timestamp=receipt.timestamp,
                partial=receipt.partial,
            ),
        )
        row = ReceiptRow(
            chat=receipt.chat,
            message_id=message_id,
            participant=receipt.participant.jid,
            participant_lid=receipt.participant.lid,
            status=receipt.status,
            timestamp=receipt.timestamp,
        )
        return Change(session_id=self._session_id, epoch=self._epoch, events=(event,), receipt=row)

    def _submit(self, change: Change) -> "asyncio.Future[Committed]":
        """Record a change; the future is cancelled if nothing of it is kept anywhere."""
        outcome: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self._recording += 1
        self._record(change).add_done_callback(partial(self._recorded, change, outcome))
        return outcome

    def _recorded(
        self,
        change: Change,
        outcome: "asyncio.Future[Committed]",
        done: "asyncio.Future[Committed]",
    ) -> None:
        self._recording -= 1
        self._room.set()
        if done.cancelled():  # the worker stops; the spool replays it
            outcome.cancel()
        elif (error := done.exception()) is None:
            outcome.set_result(done.result())
        else:
            task = asyncio.create_task(
                self._set_aside(change, outcome, type(error).__name__),
                name=f"refused:{self._session_id}",
            )
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    async def _set_aside(
        self, change: Change, outcome: "asyncio.Future[Committed]", reason: str
    ) -> None:
        """Keep what the database refuses; nothing of it is kept if the disk refuses it as well."""
        ids = [event.id for event in change.events]
        try:
            await asyncio.to_thread(self._quarantine, change)
        except OSError:
            # Not kept, so its record is not acknowledged, and a restart tries it again.
            log.exception("inbound.not_quarantined", session_id=self._session_id, events=ids)
            outcome.cancel()
            return
        log.error("inbound.quarantined", session_id=self._session_id, events=ids, reason=reason)
        self._on_quarantined()
        outcome.set_result(Committed(applied=False))

    async def _until_room(self) -> None:
        while self._recording > self._limit:
            self._room.clear()
            await self._room.wait()


def _settle(
    futures: Iterable["asyncio.Future[Committed]"], record: int, acknowledge: Acknowledge
) -> None:
    """Have a record acknowledged once all that it brought is committed."""
    waiting = {future for future in futures if not (future.done() and _counts(future))}
    if not waiting:
        acknowledge(record)
        return

    def settled(done: "asyncio.Future[Committed]") -> None:
        if _counts(done):
            waiting.discard(done)
            if not waiting:
                acknowledge(record)

    for future in tuple(waiting):
        future.add_done_callback(settled)


def _counts(done: "asyncio.Future[Committed]") -> bool:
    """Whether a change has found its end here: not if another worker has the session by now."""
    return not done.cancelled() and not done.result().fenced
