"""Sends bulks: row after row, of a few sessions at a time.

One row of a session is under way, and the next one is handed on when it has its end; so a send
that somebody waits for comes after one row at most, and so does a pause. How many sessions send
rows at the same time is bounded for the whole worker, for what comes in and what somebody waits for
needs the machine, too. The sessions have turns.
"""

import asyncio
import contextlib
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import orjson
import structlog
from pydantic import ValidationError

from gateway_contracts import (
    BulkFinished,
    BulkFinishedData,
    BulkProgress,
    BulkProgressData,
    BulkReason,
    BulkResultFile,
    BulkState,
    ErrorBody,
    SessionState,
)
from gateway_worker.commands.deferrals import BulkFiles, BulkStore, EndedRow, RowBody
from gateway_worker.commands.deferred.bulk_figures import BulkFigures, figures_of
from gateway_worker.commands.deferred.contact_check import absent_rows
from gateway_worker.commands.deferred.delivery import LONGEST_POSTPONED, DeferredDelivery
from gateway_worker.commands.deferred.held_bulks import BulkKey, HeldBulks
from gateway_worker.commands.deferred.open_bulk import OpenBulk, state_after
from gateway_worker.commands.deferred.template import FaultyRowError
from gateway_worker.commands.number_checks import NumberChecks
from gateway_worker.commands.outcomes import Outcomes, of_row
from gateway_worker.commands.ports import Deferred, Delivery
from gateway_worker.errors import DependencyError, GatewayError, RecipientNotOnWhatsAppError
from gateway_worker.runtime.clock import Clock
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.changes import Change, source_of
from gateway_worker.sessions.deferred import Bulk, BulkUpdate, DeferredEnd, RowState
from gateway_worker.sessions.ownership.registry import SessionRegistry
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 5.0
"""Between two looks at which bulks there are."""
PROGRESS_SECONDS: Final = 5.0
"""Between two events that tell how far a bulk is."""
_READ: Final = 50
"""So many rows are read at a time: as many as one question about contacts may have."""
_LOW: Final = 10
"""With so few left the next ones are read."""
_SWEPT: Final = 2_000
_WRITTEN: Final = 1_000


class BulkFeeder:
    """Feeds the scheduler with the rows of bulks (a service).

    Args:
        worker_id: This worker.
        registry: The sessions that are here.
        store: Bulks and rows.
        files: Where results are written; None if nowhere.
        checks: Asks which recipients are on WhatsApp.
        clock: The time.
        at_once: How many sessions may send rows at the same time.
        look_seconds: See `LOOK_SECONDS`.

    Attributes:
        ended: How many rows have ended since the start, by how.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        registry: SessionRegistry,
        store: BulkStore,
        files: BulkFiles | None,
        checks: NumberChecks,
        clock: Clock,
        at_once: int,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._worker_id = worker_id
        self._registry = registry
        self._store = store
        self._files = files
        self._checks = checks
        self._clock = clock
        self._at_once = at_once
        self._look_seconds = look_seconds
        self._outcomes = Outcomes(worker_id=worker_id)
        self._accept: Callable[[Delivery], None] = lambda _delivery: None
        self._open: OrderedDict[BulkKey, OpenBulk] = OrderedDict()
        self._held = HeldBulks(registry.epoch_of)
        self._under_way = 0
        self._wake = asyncio.Event()
        self._is_due = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.ended: Counter[RowState] = Counter()

    def feeds(self, accept: Callable[[Delivery], None]) -> None:
        """Hand rows to `accept` from now on."""
        self._accept = accept

    @property
    def under_way(self) -> int:
        """How many rows were handed on and have no end."""
        return self._under_way

    def figures(self) -> BulkFigures:
        """Return how the bulks do now. Call it on the event loop."""
        return figures_of(self._open.values(), at=asyncio.get_running_loop().time())

    def look_again(self) -> None:
        """Look soon at which bulks there are."""
        self._is_due = True
        self._wake.set()

    def hold(self, session_id: str, bulk_id: str) -> None:
        """Hand on nothing more of a bulk, from now on."""
        self._held.add((session_id, bulk_id))
        if (one := self._open.get((session_id, bulk_id))) is not None:
            one.is_held = True

    def release(self, session_id: str, bulk_id: str) -> None:
        """Go on with a bulk as its state, which has changed, says."""
        self._held.discard((session_id, bulk_id))
        if (one := self._open.get((session_id, bulk_id))) is not None:
            one.begin_anew()
        self.look_again()

    async def run(self, stop: asyncio.Event) -> None:
        """Feed until `stop` is set."""
        self._stopping = False
        stopping = asyncio.create_task(stop.wait(), name="bulks:stop")
        stopping.add_done_callback(lambda _task: self._wake.set())
        next_look = 0.0
        loop = asyncio.get_running_loop()
        try:
            while not stop.is_set():
                self._wake.clear()
                try:
                    if self._is_due or loop.time() >= next_look:
                        self._is_due = False
                        next_look = loop.time() + self._look_seconds
                        await self._look()
                    await self._read_on()
                except DependencyError as error:
                    log.warning("bulks.not_read", reason=str(error))
                    await asyncio.sleep(1.0)
                self._pump()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, next_look - loop.time())):
                        await self._wake.wait()
        finally:
            self._stopping = True
            stopping.cancel()
            for task in tuple(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    # Which bulks there are.

    async def _look(self) -> None:
        """See which bulks of this worker's sessions are not over."""
        self._held.forget_former()
        epochs = {
            one.session_id: one.epoch
            for one in self._registry.sessions()
            if not one.is_leaving and not one.fenced
        }
        found = await self._store.open_bulks(list(epochs))
        there: set[BulkKey] = set()
        for session_id, bulk in found:
            key = (session_id, bulk.bulk_id)
            there.add(key)
            one = self._open.get(key)
            if one is None or (one.epoch, one.bulk.load) != (epochs[session_id], bulk.load):
                try:
                    one = OpenBulk.of(session_id, epochs[session_id], bulk)
                except ValidationError:  # made by another release
                    log.exception("bulk.unreadable", session_id=session_id, bulk_id=bulk.bulk_id)
                    continue
                one.moved_at = asyncio.get_running_loop().time()
                self._open[key] = one
                log.info("bulk.taken_up", session_id=session_id, bulk_id=bulk.bulk_id)
            else:
                one.bulk = replace(one.bulk, state=bulk.state, reason=bulk.reason)
            one.is_held = key in self._held
            if not one.is_running(self._clock.now()):
                one.moved_at = asyncio.get_running_loop().time()
            self._look_at(one)
        for key in [key for key in self._open if key not in there]:
            if not self._open[key].fed:
                del self._open[key]

    def _look_at(self, one: OpenBulk) -> None:
        """Pause a bulk whose session cannot send, and end one of which nothing is left."""
        session = self._registry.held_session(one.session_id)
        if session is None:
            return
        if one.bulk.state is BulkState.RUNNING and not one.is_held:
            if session.state is SessionState.BANNED:
                self._stop(one, BulkReason.ACCOUNT_RESTRICTED)
            elif not session.is_linked:
                self._stop(one, BulkReason.NOT_LINKED)

    async def _read_on(self) -> None:
        """Have rows at hand of each bulk that runs, and end those of which none is left."""
        for one in tuple(self._open.values()):
            if one.bulk.state is BulkState.CANCELLING:
                await self._read_begun(one)
            elif one.is_running(self._clock.now()) and not one.is_read and len(one.waiting) <= _LOW:
                await self._read(one)
            self._end_if_over(one)

    async def _read(self, one: OpenBulk) -> None:
        if asyncio.get_running_loop().time() < one.unchecked_until:
            return
        rows = await self._store.rows(one.session_id, one.bulk.load, after=one.last, limit=_READ)
        if one.bulk.options["check_contacts"] and rows:
            present = await self._present(one, rows)
            if present is None:
                return
            rows = present
        elif len(rows) < _READ:
            one.is_read = True
        if rows:
            one.last = max(one.last, rows[-1].row)
            one.waiting.extend(rows)

    async def _present(self, one: OpenBulk, rows: Sequence[RowBody]) -> Sequence[RowBody] | None:
        """End the rows to whom WhatsApp does not know; returns the others, None if nobody answers.

        A row that has begun is left alone: it has its own end.
        """
        session = self._registry.held_session(one.session_id)
        if session is None or not session.is_connected:
            return None
        begun = {row.row for row in await self._store.begun(one.session_id, one.bulk)}
        try:
            asked = [row for row in rows if row.row not in begun]
            absent = await absent_rows(session, one, asked, checks=self._checks)
        except GatewayError as error:
            loop = asyncio.get_running_loop()
            seconds = getattr(error, "retry_after_seconds", None) or self._look_seconds
            one.unchecked_until = loop.time() + seconds
            loop.call_later(seconds, self._wake.set)
            log.warning("bulk.not_checked", session_id=one.session_id, error_code=error.code)
            return None
        one.last = rows[-1].row
        if len(rows) < _READ:
            one.is_read = True
        for row in absent:
            one.fed[row.row] = row
            self._spawn(self._end_absent(session, one, row))
        gone = {row.row for row in absent}
        return [row for row in rows if row.row not in gone]

    async def _end_absent(self, session: Session, one: OpenBulk, row: RowBody) -> None:
        error = RecipientNotOnWhatsAppError("WhatsApp was asked, and does not know it").body()
        try:
            change = self._outcomes.failure(one.command(row), error, attempts=0, epoch=one.epoch)
            change = of_row(change, one.key(row.row), one.bulk.bulk_id, RowState.FAILED)
            if (await session.record(change)).applied:
                self._count(one, error)
        finally:
            one.fed.pop(row.row, None)
            self._wake.set()

    async def _read_begun(self, one: OpenBulk) -> None:
        """Have at hand what of a cancelled bulk has begun: it comes to its end as it can."""
        one.is_held = False
        one.waiting.clear()
        begun = await self._store.begun(one.session_id, one.bulk)
        one.waiting.extend(row for row in begun if row.row not in one.fed)
        one.is_read = True

    # Rows.

    def _pump(self) -> None:
        """Hand on rows as long as there is room."""
        for key, one in tuple(self._open.items()):
            if self._under_way >= self._at_once or self._stopping:
                return
            if self._may_feed(one):
                self._open.move_to_end(key)
                self._hand_on(one, one.waiting.popleft())

    def _may_feed(self, one: OpenBulk) -> bool:
        if one.fed or not one.waiting or one.is_ending:
            return False
        session = self._registry.held_session(one.session_id)
        if session is None or session.epoch != one.epoch or session.is_leaving:
            return False
        if one.bulk.state is BulkState.CANCELLING:
            return True
        if one.not_before > asyncio.get_running_loop().time():
            return False
        return one.is_running(self._clock.now()) and session.is_connected

    def _hand_on(self, one: OpenBulk, row: RowBody) -> None:
        try:
            command = one.command(row)
        except (ValidationError, FaultyRowError):  # stored by another release
            log.exception("bulk.row_unreadable", session_id=one.session_id, row=row.row)
            self._spawn(self._drop(one, row))
            return
        one.fed[row.row] = row
        self._under_way += 1
        is_cancelled = one.bulk.state is BulkState.CANCELLING
        deferred = Deferred(
            command=command,
            epoch=one.epoch,
            key=one.key(row.row),
            bulk_id=one.bulk.bulk_id,
            may_wait=not is_cancelled,
            note=partial(self._count, one),
            postpone=None if is_cancelled else partial(self._postpone, one),
        )
        self._accept(
            DeferredDelivery(
                deferred=deferred,
                worker_id=self._worker_id,
                on_settled=partial(self._settled, one, row),
            )
        )

    def _settled(
        self,
        one: OpenBulk,
        row: RowBody,
        _delivery: DeferredDelivery,
        is_over: bool,  # noqa: FBT001 - a listener
    ) -> None:
        one.fed.pop(row.row, None)
        self._under_way -= 1
        if not is_over and one.bulk.state is not BulkState.CANCELLING:
            one.waiting.appendleft(row)
        if is_over:
            self._pump()
        if len(one.waiting) <= _LOW or not is_over:
            self._wake.set()

    def _postpone(self, one: OpenBulk, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        seconds = min(seconds, LONGEST_POSTPONED)
        one.not_before = loop.time() + seconds
        loop.call_later(seconds, self._wake.set)

    async def _drop(self, one: OpenBulk, row: RowBody) -> None:
        session = self._registry.held_session(one.session_id)
        if session is not None:
            end = DeferredEnd(key=one.key(row.row), state=RowState.FAILED)
            await session.record(
                Change(session_id=one.session_id, epoch=one.epoch, deferred_end=end)
            )
            one.counts[RowState.FAILED] += 1
            self._note_end(one, RowState.FAILED)

    def _count(self, one: OpenBulk, error: ErrorBody | None) -> None:
        """Note the end of a row, which is committed."""
        reason = one.count(error)
        self._note_end(one, state_after(error))
        if reason is not None and one.bulk.state is BulkState.RUNNING and not one.is_held:
            self._stop(one, reason)
            return
        now = asyncio.get_running_loop().time()
        if now - one.told_at >= PROGRESS_SECONDS and one.ended < one.bulk.rows:
            one.told_at = now
            self._spawn(self._tell(one))

    def _note_end(self, one: OpenBulk, state: RowState) -> None:
        self.ended[state] += 1
        one.moved_at = asyncio.get_running_loop().time()

    # What is told of bulks.

    def _stop(self, one: OpenBulk, reason: BulkReason) -> None:
        """Pause a bulk, and say why."""
        one.is_held = True
        self._held.add((one.session_id, one.bulk.bulk_id))
        log.warning(
            "bulk.stopped", session_id=one.session_id, bulk_id=one.bulk.bulk_id, reason=reason
        )
        self._spawn(self._pause(one, reason))

    async def _pause(self, one: OpenBulk, reason: BulkReason) -> None:
        session = self._registry.held_session(one.session_id)
        if session is None:
            return
        one.bulk = replace(one.bulk, state=BulkState.PAUSED, reason=reason)
        update = BulkUpdate(
            bulk_id=one.bulk.bulk_id,
            before=frozenset({BulkState.RUNNING}),
            state=BulkState.PAUSED,
            reason=reason,
        )
        await session.record(
            Change(
                session_id=one.session_id,
                epoch=one.epoch,
                events=(self._progress(one),),
                bulk_update=update,
            )
        )

    async def _tell(self, one: OpenBulk) -> None:
        session = self._registry.held_session(one.session_id)
        if session is not None:
            await session.record(
                Change(session_id=one.session_id, epoch=one.epoch, events=(self._progress(one),))
            )

    def _progress(self, one: OpenBulk) -> BulkProgress:
        bulk = one.bulk
        return BulkProgress(
            **self._common(one.session_id, bulk),
            data=BulkProgressData(
                bulk_id=bulk.bulk_id,
                state=bulk.state,
                reason=bulk.reason,
                rows=bulk.rows,
                succeeded=one.counts[RowState.SUCCEEDED],
                failed=one.counts[RowState.FAILED],
                uncertain=one.counts[RowState.UNCERTAIN],
                cancelled=bulk.cancelled,
            ),
        )

    def _common(self, session_id: str, bulk: Bulk) -> dict[str, Any]:
        return {
            "source": source_of(self._worker_id),
            "subject": session_id,
            "correlationid": bulk.bulk_id,
            "tenantid": bulk.options["tenantid"],
            "traceparent": bulk.options["traceparent"],
        }

    # The end of a bulk.

    def _end_if_over(self, one: OpenBulk) -> None:
        may_end = one.bulk.state in (BulkState.RUNNING, BulkState.CANCELLING)
        if one.is_over and may_end and not one.is_held and not one.is_ending:
            one.is_ending = True
            self._spawn(self._end(one))

    async def _end(self, one: OpenBulk) -> None:
        """Write the result of a bulk and commit its end; what is unavailable is waited for."""
        backoff = Backoff(initial_seconds=0.5, maximum_seconds=10.0)
        while (session := self._registry.held_session(one.session_id)) is not None:
            if session.epoch != one.epoch:
                return
            try:
                await self._finish(session, one)
            except DependencyError as error:
                log.warning("bulk.not_ended", bulk_id=one.bulk.bulk_id, reason=str(error))
                await asyncio.sleep(backoff.next_seconds())
            else:
                return

    async def _finish(self, session: Session, one: OpenBulk) -> None:
        is_cancelled = one.bulk.state is BulkState.CANCELLING
        while is_cancelled and await self._store.sweep(
            one.session_id, one.bulk, epoch=one.epoch, limit=_SWEPT
        ):
            pass
        bulk = await self._store.get(one.session_id, one.bulk.bulk_id)
        if bulk is None or bulk.state is not one.bulk.state:
            one.is_ending = False
            self.look_again()
            return
        if bulk.ended < bulk.rows and not is_cancelled:  # some have come back meanwhile
            one.is_ending = one.is_read = False
            one.last = 0
            self.look_again()
            return
        result, key = await self._write_result(one, bulk)
        state = BulkState.CANCELLED if is_cancelled else BulkState.FINISHED
        event = self.finished(one.session_id, replace(bulk, state=state), result=result)
        update = BulkUpdate(
            bulk_id=bulk.bulk_id,
            before=frozenset({bulk.state}),
            state=state,
            result_key=key,
        )
        await session.record(
            Change(session_id=one.session_id, epoch=one.epoch, events=(event,), bulk_update=update)
        )
        self._open.pop((one.session_id, bulk.bulk_id), None)
        self._held.discard((one.session_id, bulk.bulk_id))
        log.info("bulk.ended", session_id=one.session_id, bulk_id=bulk.bulk_id, state=state)

    def finished(
        self, session_id: str, bulk: Bulk, *, result: BulkResultFile | None
    ) -> BulkFinished:
        """Return what is told of the end of a bulk."""
        return BulkFinished(
            **self._common(session_id, bulk),
            data=BulkFinishedData(
                bulk_id=bulk.bulk_id,
                state=bulk.state,
                rows=bulk.rows,
                succeeded=bulk.succeeded,
                failed=bulk.failed,
                uncertain=bulk.uncertain,
                cancelled=bulk.cancelled,
                result=result,
            ),
        )

    async def _write_result(
        self, one: OpenBulk, bulk: Bulk
    ) -> tuple[BulkResultFile | None, str | None]:
        if self._files is None:
            return None, None
        # Below the session's own files, which go with it.
        key = f"media/{one.session_id}/bulks/{bulk.load}.jsonl"
        await self._files.write(key, self._result_lines(one.session_id, bulk))
        return await self._files.told(key), key

    async def _result_lines(self, session_id: str, bulk: Bulk) -> AsyncIterator[bytes]:
        for first in range(1, bulk.rows + 1, _WRITTEN):
            last = min(first + _WRITTEN - 1, bulk.rows)
            rows = await self._store.ended(session_id, bulk.bulk_id, first=first, last=last)
            yield b"".join(_lines(bulk.bulk_id, rows))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._stopping:
            work.close()
            return
        task = asyncio.create_task(_logged(work), name="bulks:work")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("bulk.failed")


def _lines(bulk_id: str, rows: Iterable[EndedRow]) -> Iterable[bytes]:
    for row in rows:
        line: dict[str, Any] = {"row": row.row, "id": f"{bulk_id}/{row.row}"}
        line["state"] = row.state or "cancelled"
        result, error = row.outcome.get("result", {}), row.outcome.get("error", {})
        message = row.outcome.get("message", result)
        line |= {
            name: message[name] for name in ("message_id", "chat") if message.get(name) is not None
        }
        if "code" in error:
            line["code"] = error["code"]
        yield orjson.dumps(line) + b"\n"
