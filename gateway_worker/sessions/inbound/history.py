"""What was written before an account was linked: recorded beside what arrives, never before it.

A host tells one page and waits. Its messages are written by a transaction of their own, then the
event that tells them is queued like everything else, and when that is committed the host tells the
next one. All sessions of a worker take turns, so that one page is in memory; after each the worker
rests as long as it took, and while events go out late nothing is recorded at all. What was erased
of a person is not told again.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog
from pydantic import ValidationError

from gateway_contracts import HistoryMessages, HistoryMessagesData, encode
from gateway_contracts.events import Arriving
from gateway_worker.errors import DependencyError, GatewayError
from gateway_worker.host_protocol.envelope import HistoryPage
from gateway_worker.sessions.changes import Committed, Direction, MessageRow
from gateway_worker.sessions.inbound.arrivals import forwarded
from gateway_worker.sessions.inbound.erased import ids_in, without_erased
from gateway_worker.sessions.ports import PastMessages

log = structlog.get_logger(__name__)

TYPE: Final = "wa.history.messages.v1"
_IDS: Final = uuid.UUID("c2a3bb0e-5a0f-53a5-9b07-6f4f0d0f2c1e")
"""The name space of pages' ids."""
_LOOK_SECONDS: Final = 0.5
"""How often is looked whether events go out in time again."""
_LONGEST_REST_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 2.0
_MOST_FAULTS: Final = 3
"""So often a page may fail that should not: then the next one comes, for a phone tells its history
once."""

Record = Callable[[Arriving], "asyncio.Future[Committed]"]
Taken = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class HistoryTurns:
    """Lets the sessions of a worker record their history one after the other, a page each time.

    Attributes:
        turn: Held by whoever records a page.
    """

    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))


def history_event(page: HistoryPage, *, source: str, session_id: str) -> HistoryMessages:
    """Return the event of a page; it has the same id whenever the page is told.

    Raises:
        ValueError: It does not fit the contract.
    """
    try:
        data = HistoryMessagesData.model_validate_json(bytes(page.data))
    except ValidationError as error:  # whose text may be private
        raise ValueError(f"a page does not fit: {error.error_count()} faults") from None
    return HistoryMessages(
        id=str(uuid.uuid5(_IDS, f"{session_id} {page.page}")),
        source=source,
        subject=session_id,
        data=data,
    )


def history_rows(data: HistoryMessagesData) -> list[MessageRow]:
    """Return what is stored of a page."""
    if data.chat is None:
        return []
    return [
        MessageRow(
            chat=data.chat,
            message_id=message.message_id,
            direction=Direction.OUT if message.from_me else Direction.IN,
            sender=message.sender.jid,
            sender_lid=message.sender.lid,
            content=message.content,
            timestamp=message.timestamp,
        )
        for message in data.messages
    ]


class HistoryIntake:
    """Records the history of one session.

    Args:
        session_id: Whose it is.
        source: The `source` of the events.
        epoch: Under which epoch its rows are written.
        past: Writes them.
        record: Queues an event.
        turns: Shared with the other sessions of the worker.
        is_behind: Whether events go out late.
        has_left: Whether the session is not this worker's any more.
        on_unsupported: Called when a host has told what does not fit the contract.
    """

    def __init__(  # noqa: PLR0913 - it waits for more than it writes to
        self,
        *,
        session_id: str,
        source: str,
        epoch: int,
        past: PastMessages,
        record: Record,
        turns: HistoryTurns,
        is_behind: Callable[[], bool],
        has_left: Callable[[], bool],
        on_unsupported: Callable[[], None] = lambda: None,
    ) -> None:
        self._session_id = session_id
        self._source = source
        self._epoch = epoch
        self._past = past
        self._record = record
        self._turns = turns
        self._is_behind = is_behind
        self._has_left = has_left
        self._on_unsupported = on_unsupported
        self._log = log.bind(session_id=session_id)
        self._task: asyncio.Task[None] | None = None
        self._recording = asyncio.Lock()

    def take(self, page: HistoryPage, taken: Taken) -> None:
        """Record a page, some time from now; one of a host before it is told again, if at all.

        Args:
            page: From the session's host, which waits.
            taken: Gets its name once it is recorded.
        """
        self.stop()
        self._task = asyncio.create_task(
            self._record_page(page, taken), name=f"history:{self._session_id}"
        )

    def stop(self) -> None:
        """Record nothing more of what has been told; a host tells it again."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def settled(self) -> None:
        """Return once no page is being recorded that may have people who were erased meanwhile."""
        async with self._recording:
            return

    @asynccontextmanager
    async def forwarding(self, events: Sequence[bytes]) -> AsyncIterator[Sequence[bytes]]:
        """Write the messages of pages that a former owner has passed on, ahead of their events.

        Yields:
            What is to be recorded, before this is left: pages without people who were erased, all
            else as it is.

        Raises:
            ValueError: One of them is no arrival of this session.
            DependencyError: The database does not answer.
        """
        if not any(TYPE.encode() in event for event in events):  # they wait for no page
            yield events
            return
        async with self._recording:
            found = [await self._forwarded(event) for event in events]
            yield [event for event in found if event is not None]

    async def _forwarded(self, event: bytes) -> bytes | None:
        if TYPE.encode() not in event:
            return event
        parsed, _ = forwarded(event, session_id=self._session_id)
        if not isinstance(parsed, HistoryMessages):
            return event
        kept = await self._kept(parsed)
        if kept is None:
            return None
        await self._write(kept)
        return event if kept is parsed else encode(kept)

    async def _record_page(self, page: HistoryPage, taken: Taken) -> None:
        """Record a page, or leave it out if it cannot be: the host would wait for ever."""
        for left in reversed(range(_MOST_FAULTS)):
            try:
                is_taken = await self._run(page)
            except Exception:  # noqa: BLE001 - the root of a task
                self._log.exception("history.failed", page=page.page, attempts_left=left)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if is_taken:
                taken(page.page)
            return
        self._on_unsupported()
        taken(page.page)

    async def _run(self, page: HistoryPage) -> bool:
        """Record a page; False if another worker has it by now."""
        try:
            event = history_event(page, source=self._source, session_id=self._session_id)
        except ValueError as error:
            self._log.error("history.unsupported", page=page.page, reason=str(error))
            self._on_unsupported()
            return True
        while not self._has_left():
            if self._is_behind():
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            async with self._turns.turn:
                if await self._attempt(event):
                    return True
            await asyncio.sleep(_RETRY_SECONDS)
        return False

    async def _attempt(self, event: HistoryMessages) -> bool:
        """Record a page, and rest; False if it is to be tried again, or is another worker's."""
        began = time.monotonic()
        try:
            async with self._recording:
                is_recorded = await self._commit(event)
        except DependencyError as error:
            self._log.warning("history.delayed", reason=str(error))
            return False
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return False  # it is kept nowhere: the worker stops, or its disk is full
        if is_recorded:
            await asyncio.sleep(min(time.monotonic() - began, _LONGEST_REST_SECONDS))
        return is_recorded

    async def _commit(self, event: HistoryMessages) -> bool:
        """Write a page's messages, and commit its event; False if another worker has it now."""
        kept = await self._kept(event)
        if kept is None:
            return True
        return await self._write(kept) and not (await self._record(kept)).fenced

    async def _kept(self, event: HistoryMessages) -> HistoryMessages | None:
        """Return a page without people who were erased; None if nothing of it is left."""
        erased = await self._past.erased(self._session_id, ids_in(event.data))
        data = without_erased(event.data, erased)
        if data is None:
            return None
        return event if data is event.data else event.model_copy(update={"data": data})

    async def _write(self, event: HistoryMessages) -> bool:
        """Write a page's messages; False if another worker has the session now."""
        rows = history_rows(event.data)
        if not rows:
            return True
        try:
            return await self._past.write(self._session_id, epoch=self._epoch, rows=rows)
        except DependencyError:
            raise
        except GatewayError as error:  # refused for good: the event tells it all the same
            self._log.error("history.refused", page=event.id, reason=type(error).__name__)
            return True
