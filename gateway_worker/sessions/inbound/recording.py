"""What arrives from WhatsApp: recorded, and acknowledged to the host's spool after the commit."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial

import structlog

from gateway_contracts import CallReceived
from gateway_contracts.events import Arriving
from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.envelope import Event, VolatileEvent
from gateway_worker.media.arriving.intake import MediaIntake
from gateway_worker.media.arriving.records import MediaRow
from gateway_worker.sessions.changes import Change, Committed
from gateway_worker.sessions.chat_timers import ChatTimers
from gateway_worker.sessions.deferred import DeferredRow
from gateway_worker.sessions.inbound.arrivals import arrival, forwarded
from gateway_worker.sessions.inbound.call_screening import CallScreening
from gateway_worker.sessions.inbound.receipts import ReceiptQueue, SendsInProgress
from gateway_worker.sessions.inbound.rows import KNOWN_AGAIN, REPEATS, ROWS, change_of

log = structlog.get_logger(__name__)

Acknowledge = Callable[[int], None]

_REMEMBERED = 1_000
"""Of each type of event of which repeats are told apart here alone."""
_REMEMBERED_TOO = 100
"""Of those of which the database knows it, too: it is asked less for what comes at once."""
MOST_VOLATILE = 8
"""So many volatile events of a session may wait for the database; more only says what was."""


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
    """Records arrivals: those of the session's host, and those that another worker passes on.

    A record of the host's spool is acknowledged by itself, once all events that it brought are
    committed or kept aside: one that waits for its send does not hold up those after it. Nothing
    waits here; a host that tells more than is acknowledged is held up where it is read.

    Args:
        session_id: Whose arrivals they are.
        source: The `source` of the events.
        record: Queues a change under the session's epoch.
        sends: The session's sends, for which receipts wait; None if there are none here.
        media: Enters the files that come with messages; without it none are fetched.
        timers: Told of what chats are set to.
        screening: Refuses calls, if that is set.
        quarantine: Keeps a change that the database refuses, or raises OSError. May block.
        on_quarantined: Called when one has been kept.
        on_unsupported: Called when a host has told what does not fit the contract.
        is_behind: Whether events go out late, so that what is of a moment is not worth recording.
        on_dropped: Called when a volatile event is not recorded.
    """

    def __init__(  # noqa: PLR0913 - it is where all that arrives meets
        self,
        *,
        session_id: str,
        source: str,
        record: Callable[[Change], "asyncio.Future[Committed]"],
        epoch: int,
        quarantine: Callable[[Change], None],
        sends: SendsInProgress | None = None,
        media: MediaIntake | None = None,
        timers: ChatTimers | None = None,
        screening: CallScreening | None = None,
        on_quarantined: Callable[[], None] = lambda: None,
        on_unsupported: Callable[[], None] = lambda: None,
        is_behind: Callable[[], bool] = lambda: False,
        on_dropped: Callable[[], None] = lambda: None,
    ) -> None:
        self._session_id = session_id
        self._source = source
        self._record = record
        self._epoch = epoch
        self._recent: dict[str, Recent] = {}
        self._unfinished: list[asyncio.Future[Committed]] = []
        self._media = media
        self._timers = timers
        self._screening = screening
        self._quarantine = quarantine
        self._on_quarantined = on_quarantined
        self._on_unsupported = on_unsupported
        self._is_behind = is_behind
        self._on_dropped = on_dropped
        self._volatile: set[asyncio.Future[Committed]] = set()
        self._keeping: set[asyncio.Task[None]] = set()
        self._submit_receipt = self._submit if sends is None else self._receipts(sends)

    def _receipts(self, sends: SendsInProgress) -> Callable[[Change], "asyncio.Future[Committed]"]:
        record = self._submit if sends.traces is None else sends.traces.recording(self._submit)
        return ReceiptQueue(record=record, sends=sends).submit

    def record(self, event: Event, acknowledge: Acknowledge) -> None:
        """Record an event of the host.

        Args:
            event: From its spool; the events of one record come one after the other.
            acknowledge: Gets the number of the record once all of it is committed.
        """
        if event.part == 0:  # what there is of another one was left by a host that is gone
            self._unfinished = []
        found, fits = arrival(event, source=self._source, session_id=self._session_id)
        media = None
        if event.media is not None and self._media is not None:
            found, media = self._media.enter(found, event.media, session_id=self._session_id)
        if not fits:
            log.error(
                "inbound.unsupported",
                session_id=self._session_id,
                record=event.record,
                part=event.part,
                event_type=event.type if event.type in ROWS else "other",
                told_as=found.type,
            )
            self._on_unsupported()
        deferred = None
        if isinstance(found, CallReceived) and self._screening is not None:
            found, deferred = self._screening.screen(found)
        self._unfinished.append(self.record_arrival(found, media, deferred))
        if event.last:
            futures, self._unfinished = self._unfinished, []
            _settle(futures, event.record, acknowledge)

    def record_volatile(self, event: VolatileEvent) -> None:
        """Record what is worth something for a moment only, or drop it if that would come late."""
        is_late = time.monotonic() >= event.good_until or len(self._volatile) >= MOST_VOLATILE
        if is_late or self._is_behind():
            self._on_dropped()
            return
        found, fits = arrival(event, source=self._source, session_id=self._session_id)
        if not fits:
            self._on_unsupported()
            return
        change = change_of(found, session_id=self._session_id, epoch=self._epoch)
        future = self._record(change)
        self._volatile.add(future)
        future.add_done_callback(self._volatile_recorded)

    def _volatile_recorded(self, done: "asyncio.Future[Committed]") -> None:
        self._volatile.discard(done)
        if not done.cancelled() and done.exception() is not None:  # nobody will miss it
            self._on_dropped()

    def record_arrival(
        self,
        event: Arriving,
        media: MediaRow | None = None,
        deferred: DeferredRow | None = None,
    ) -> "asyncio.Future[Committed]":
        """Record an arrival, with the file that came with it and the command that is to follow.

        The future is cancelled if nothing of it is kept anywhere.
        """
        repeats = REPEATS.get(event.type)
        if repeats is None:
            return self._record_new(event, media, deferred)
        recent, key = self._recent_of(event.type), repeats(event)
        future = recent.get(key)
        if future is None:
            future = self._record_new(event, media, deferred)
            recent.put(key, future)
        return future

    def _record_new(
        self, event: Arriving, media: MediaRow | None, deferred: DeferredRow | None
    ) -> "asyncio.Future[Committed]":
        change = change_of(
            event,
            session_id=self._session_id,
            epoch=self._epoch,
            media=media,
            deferred=deferred,
        )
        if change.timer is not None and self._timers is not None:
            self._timers.note(change.timer)
        submit = self._submit if change.receipt is None else self._submit_receipt
        return submit(change)

    def _recent_of(self, event_type: str) -> Recent:
        recent = self._recent.get(event_type)
        if recent is None:
            size = _REMEMBERED_TOO if event_type in KNOWN_AGAIN else _REMEMBERED
            recent = self._recent[event_type] = Recent(size=size)
        return recent

    async def record_forwarded(self, events: Sequence[bytes]) -> bool:
        """Record what arrived at a former owner; False if another worker has the session now.

        Raises:
            ValueError: One of them is no arrival of this session; nothing is recorded.
            DependencyError: One of them is neither recorded nor kept aside.
        """
        arrivals = [forwarded(event, session_id=self._session_id) for event in events]
        outcomes = [self.record_arrival(event, media) for event, media in arrivals]
        if outcomes:
            await asyncio.wait(outcomes)
        if any(outcome.cancelled() for outcome in outcomes):
            raise DependencyError("an arrival that was passed on is kept nowhere here")
        return not any(outcome.result().fenced for outcome in outcomes)

    def _submit(self, change: Change) -> "asyncio.Future[Committed]":
        """Record a change; the future is cancelled if nothing of it is kept anywhere."""
        outcome: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self._record(change).add_done_callback(partial(self._recorded, change, outcome))
        return outcome

    def _recorded(
        self,
        change: Change,
        outcome: "asyncio.Future[Committed]",
        done: "asyncio.Future[Committed]",
    ) -> None:
        if done.cancelled():  # the worker stops; the spool replays it
            outcome.cancel()
        elif (error := done.exception()) is None:
            committed = done.result()
            outcome.set_result(_without_events(committed))
            self._tell_of_media(change, committed)
        else:
            task = asyncio.create_task(
                self._set_aside(change, outcome, type(error).__name__),
                name=f"refused:{self._session_id}",
            )
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    def _tell_of_media(self, change: Change, committed: Committed) -> None:
        """Have the file of a message fetched, once its row is there."""
        if change.media is not None and self._media is not None and committed.applied:
            self._media.stored(self._session_id, change.media)

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


def _without_events(committed: Committed) -> Committed:
    """Return what became of a change, as it may be remembered: its events may be large."""
    if not committed.rows:
        return committed
    return Committed(
        applied=committed.applied,
        early=committed.early,
        fenced=committed.fenced,
        transferred=committed.transferred,
    )


def _counts(done: "asyncio.Future[Committed]") -> bool:
    """Whether a change has found its end here: not if another worker has the session by now."""
    return not done.cancelled() and not done.result().fenced
