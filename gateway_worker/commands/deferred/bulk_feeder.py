"""Sends bulks: of each session one row after the other, its bulks by turns.

One row of a session is handed on, and the next one when that has its end; so a send that somebody
waits for comes after one row at most. It begins when its session has nothing else to send, and when
the worker has a slot for it (`deferred_slots`): one whose session is busy holds up no other.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Final

import structlog
from pydantic import ValidationError

from gateway_contracts import BulkReason, BulkState, ErrorBody, SessionState
from gateway_worker.commands.deferrals import BulkFiles, BulkStore, RowBody
from gateway_worker.commands.deferred.bulk_ending import BulkEnding
from gateway_worker.commands.deferred.bulk_figures import BulkFigures, figures_of
from gateway_worker.commands.deferred.bulk_reading import LOW, BulkReading
from gateway_worker.commands.deferred.bulk_reports import BulkReports
from gateway_worker.commands.deferred.bulk_results import BulkResults
from gateway_worker.commands.deferred.delivery import LONGEST_POSTPONED, DeferredDelivery
from gateway_worker.commands.deferred.held_bulks import HeldBulks
from gateway_worker.commands.deferred.open_bulk import OpenBulk, state_after
from gateway_worker.commands.deferred.open_bulks import OpenBulks
from gateway_worker.commands.deferred.template import FaultyRowError
from gateway_worker.commands.number_checks import NumberChecks
from gateway_worker.commands.outcomes import Outcomes, of_row
from gateway_worker.commands.pacing.pacer import Pacer
from gateway_worker.commands.ports import Deferred, Delivery
from gateway_worker.errors import (
    DependencyError,
    GatewayError,
    InvalidCommandError,
    RecipientNotOnWhatsAppError,
)
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import Clock
from gateway_worker.runtime.waking import woken_by
from gateway_worker.sessions.chats import chat_of
from gateway_worker.sessions.deferred import Bulk, RowState
from gateway_worker.sessions.ownership.registry import SessionRegistry
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 5.0
"""Between two looks at which bulks there are."""
PROGRESS_SECONDS: Final = 5.0
"""Between two events that tell how far a bulk is."""
_DATABASE_SECONDS: Final = 1.0
"""After so long the database is asked again which bulks there are."""
_CONNECTION_SECONDS: Final = 0.5
"""Between two looks at whether a session is connected again."""
_UNDER_WAY_SECONDS: Final = 30.0
"""So long a row under way to somebody is waited for who is to get nothing any more."""
_NOT_THERE: Final = "WhatsApp was asked, and does not know it"
_UNREADABLE: Final = "the row was stored by another release, and cannot be read"


class BulkFeeder:
    """Feeds the scheduler with the rows of bulks (a service).

    Args:
        worker_id: This worker.
        registry: The sessions that are here.
        store: Bulks and rows.
        files: Where results are written; None if nowhere.
        checks: Asks which recipients are on WhatsApp.
        clock: The time.
        pacer: Knows when it is quiet for whom; None: never.
        look_seconds: See `LOOK_SECONDS`.

    Attributes:
        reports: Tells of bulks.
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
        pacer: Pacer | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._pacer = pacer
        self.reports = BulkReports(worker_id=worker_id, registry=registry)
        self._worker_id = worker_id
        self._registry = registry
        self._store = store
        self._clock = clock
        self._look_seconds = look_seconds
        self._outcomes = Outcomes(worker_id=worker_id)
        self._reading = BulkReading(
            registry=registry, store=store, checks=checks, patience_seconds=look_seconds
        )
        self._ending = BulkEnding(
            registry=registry,
            store=store,
            results=BulkResults(store=store, files=files),
            reports=self.reports,
        )
        self._accept: Callable[[Delivery], None] = lambda _delivery: None
        self._open = OpenBulks()
        self._held = HeldBulks(registry.epoch_of)
        self._background = Background(name="bulks")
        self._wake = asyncio.Event()
        self._is_due = True
        self._stopping = False
        self.ended: Counter[RowState] = Counter()

    def feeds(self, accept: Callable[[Delivery], None]) -> None:
        """Hand rows to `accept` from now on."""
        self._accept = accept

    def figures(self) -> BulkFigures:
        """Return how the bulks do now. Call it on the event loop."""
        return figures_of(tuple(self._open), at=asyncio.get_running_loop().time())

    def look_again(self) -> None:
        """Look soon at which bulks there are."""
        self._is_due = True
        self._wake.set()

    def hold(self, session_id: str, bulk_id: str) -> None:
        """Have nothing more of a bulk begin, from now on."""
        self._held.add((session_id, bulk_id))
        if (one := self._open.get(session_id, bulk_id)) is not None:
            one.is_held = True

    def release(self, session_id: str, bulk_id: str) -> None:
        """Go on with a bulk as its state, which has changed, says."""
        self._held.discard((session_id, bulk_id))
        if (one := self._open.get(session_id, bulk_id)) is not None:
            one.begin_anew()
        self.look_again()

    async def cancel_to(self, session: Session, bulk: Bulk, to: Sequence[str]) -> int:
        """Let go of the rows of a bulk to some recipients; returns how many there were.

        Nothing of it begins meanwhile, and one that is under way to them is waited for.

        Raises:
            DependencyError: It is not known whether they are gone.
        """
        one = self._known(session.session_id, session.epoch, bulk)
        if one is None:  # nothing of it is sent here
            return await self._let_go(session, bulk, to, but=())
        try:
            with one.changing():
                gone = await self._let_go(session, bulk, to, but=one.fed)
                if rows := one.fed_to(to):
                    await one.until_left(rows, seconds=_UNDER_WAY_SECONDS)
                    gone += await self._let_go(session, bulk, to, but=one.fed)  # if put back
                return gone
        finally:
            self.look_again()

    async def _let_go(
        self, session: Session, bulk: Bulk, to: Sequence[str], *, but: Collection[int]
    ) -> int:
        return await self._store.cancel_to(
            session.session_id, bulk, to=to, but=tuple(but), epoch=session.epoch
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Feed until `stop` is set."""
        self._stopping = False
        loop, next_look = asyncio.get_running_loop(), 0.0
        try:
            with woken_by(stop, self._wake, name="bulks:stop"):
                while not stop.is_set():
                    self._wake.clear()
                    if self._is_due or loop.time() >= next_look:
                        next_look = loop.time() + await self._try_to_look()
                    self._go_on()
                    pause = next_look - loop.time()
                    if self._is_cut_off():
                        pause = min(pause, _CONNECTION_SECONDS)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(max(0.0, pause)):
                            await self._wake.wait()
        finally:
            self._stopping = True
            await self._background.cancel()

    # Which bulks there are.

    async def _try_to_look(self) -> float:
        """See which bulks there are; returns after how many seconds to look again."""
        self._is_due = False
        try:
            await self._look()
        except DependencyError as error:
            log.warning("bulks.not_read", reason=str(error))
            return min(_DATABASE_SECONDS, self._look_seconds)
        return self._look_seconds

    async def _look(self) -> None:
        """See which bulks of this worker's sessions are not over."""
        self._held.forget_former()
        epochs = {
            one.session_id: one.epoch
            for one in self._registry.sessions()
            if not one.is_leaving and not one.fenced
        }
        found = await self._store.open_bulks(list(epochs))
        for session_id, bulk in found:
            if (one := self._known(session_id, epochs[session_id], bulk)) is not None:
                if not one.is_running(self._clock.now()):
                    one.moved_at = asyncio.get_running_loop().time()
                self._look_at(one)
        there = {(session_id, bulk.bulk_id) for session_id, bulk in found}
        for one in self._open:
            is_there = (one.session_id, one.bulk.bulk_id) in there
            if not is_there and not one.fed and not one.is_changing:
                self._open.remove(one.session_id, one.bulk.bulk_id)

    def _known(self, session_id: str, epoch: int, bulk: Bulk) -> OpenBulk | None:
        """Return a bulk as it stands in the database; None if it cannot be read."""
        one = self._open.get(session_id, bulk.bulk_id)
        is_held = (session_id, bulk.bulk_id) in self._held
        if one is not None and (one.epoch, one.bulk.load) == (epoch, bulk.load):
            one.now_is(bulk)
            one.is_held = is_held
            return one
        try:
            one = OpenBulk.of(session_id, epoch, bulk)
        except (ValidationError, KeyError):  # made by another release
            log.exception("bulk.unreadable", session_id=session_id, bulk_id=bulk.bulk_id)
            return None
        one.is_held = is_held
        one.moved_at = asyncio.get_running_loop().time()
        self._open.put(one)
        log.info("bulk.taken_up", session_id=session_id, bulk_id=bulk.bulk_id)
        return one

    def _look_at(self, one: OpenBulk) -> None:
        """Pause a bulk whose session cannot send."""
        session = self._registry.held_session(one.session_id)
        if session is None or one.bulk.state is not BulkState.RUNNING or one.is_held:
            return
        if session.state is SessionState.BANNED:
            self._stop(one, BulkReason.ACCOUNT_RESTRICTED)
        elif not session.is_linked:
            self._stop(one, BulkReason.NOT_LINKED)

    def _is_cut_off(self) -> bool:
        """Whether rows are at hand of a session that is not connected."""
        sessions = (
            self._registry.held_session(one.session_id)
            for one in self._open
            if one.waiting and not one.fed and one.is_running(self._clock.now())
        )
        return any(session is not None and not session.is_connected for session in sessions)

    def _go_on(self) -> None:
        """Have rows at hand of each bulk that runs, end those of which none is left, and feed."""
        now = self._clock.now()
        for one in self._open:
            if self._reading.is_due(one, is_running=one.is_running(now)):
                one.is_reading = True
                self._post("read", one, partial(self._read, one))
            elif one.may_end:
                one.is_ending = True
                self._post("end", one, partial(self._end, one))
        for session_id in self._open.sessions():
            self._feed(session_id)

    def _post(self, what: str, one: OpenBulk, job: Callable[[], Awaitable[None]]) -> None:
        """Have something done beside the rows; of each bulk and kind in order."""
        if not self._stopping:
            self._background.post(f"{what} {one.session_id}/{one.bulk.bulk_id}", job)

    async def _read(self, one: OpenBulk) -> None:
        absent = await self._reading.read(one)
        await asyncio.gather(
            *(self._fail(one, row, RecipientNotOnWhatsAppError(_NOT_THERE)) for row in absent)
        )
        loop = asyncio.get_running_loop()
        loop.call_at(max(loop.time(), one.unread_until), self._wake.set)

    async def _end(self, one: OpenBulk) -> None:
        try:
            await self._ending.end(one, on_over=self._over)
        finally:
            one.is_ending = False
            self.look_again()

    def _over(self, one: OpenBulk) -> None:
        self._open.remove(one.session_id, one.bulk.bulk_id)
        self._held.discard((one.session_id, one.bulk.bulk_id))

    # Rows.

    def _feed(self, session_id: str) -> None:
        """Hand on the next row of a session, if none is under way."""
        session = self._registry.held_session(session_id)
        if self._stopping or session is None or self._open.is_sending(session_id):
            return
        for one in self._open.of(session_id):
            if self._may_feed(one, session) and (row := self._next_row(one, session)):
                self._open.had_turn(one)
                self._hand_on(one, row)
                return

    def _next_row(self, one: OpenBulk, session: Session) -> RowBody | None:
        """Take the next row of a bulk; None if it is quiet at all recipients that are at hand."""
        pacing = session.settings.pacing
        plan = None if self._pacer is None else self._pacer.plan_of(pacing)
        has_quiet_hours = plan is not None and plan.quiet_hours is not None
        if one.bulk.state is BulkState.CANCELLING or not (has_quiet_hours or one.aside):
            return one.waiting.popleft() if one.waiting else None
        now, at = self._clock.now(), asyncio.get_running_loop().time()
        row = one.next_row(
            at,
            quiet=lambda to: 0.0 if plan is None else plan.quiet_seconds(now, chat_of(to)),
            under=plan,
        )
        if row is None and one.waiting and one.not_before <= at:
            self._wake.set()  # there are more to look at, after others have had their turn
        return row

    def _may_feed(self, one: OpenBulk, session: Session) -> bool:
        if one.is_busy or session.epoch != one.epoch or session.is_leaving:
            return False
        if not (one.waiting or one.aside):
            return False
        if one.bulk.state is BulkState.CANCELLING:
            return one.has_begun_only
        if one.not_before > asyncio.get_running_loop().time():
            return False
        return one.is_running(self._clock.now()) and session.is_connected

    def _hand_on(self, one: OpenBulk, row: RowBody) -> None:
        one.fed[row.row] = row
        try:
            command = one.command(row)
        except (ValidationError, FaultyRowError):  # stored by another release
            log.exception("bulk.row_unreadable", session_id=one.session_id, row=row.row)
            self._post("fail", one, partial(self._fail, one, row, InvalidCommandError(_UNREADABLE)))
            return
        is_cancelled = one.bulk.state is BulkState.CANCELLING
        deferred = Deferred(
            command=command,
            epoch=one.epoch,
            key=one.key(row.row),
            bulk_id=one.bulk.bulk_id,
            may_wait=not is_cancelled,
            note=partial(self._count, one),
            postpone=None if is_cancelled else partial(self._postpone, one),
            is_wanted=lambda: is_cancelled or self._is_wanted(one),
        )
        self._accept(
            DeferredDelivery(
                deferred=deferred,
                worker_id=self._worker_id,
                on_settled=partial(self._settled, one, row),
            )
        )

    def _is_wanted(self, one: OpenBulk) -> bool:
        """Whether a row that was handed on may still begin; if not, it is put back."""
        return one.is_running(self._clock.now()) and not one.is_changing

    def _settled(
        self,
        one: OpenBulk,
        row: RowBody,
        _delivery: DeferredDelivery,
        is_over: bool,  # noqa: FBT001 - a listener
    ) -> None:
        one.has_left(row.row)
        if is_over:
            self._feed(one.session_id)
        elif one.bulk.state is BulkState.CANCELLING:
            one.is_read = False  # if it has begun, it is to have its end
        else:
            one.waiting.appendleft(row)
        if len(one.waiting) <= LOW or not is_over:
            self._wake.set()

    def _postpone(self, one: OpenBulk, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        seconds = min(seconds, LONGEST_POSTPONED)
        one.not_before = loop.time() + seconds
        loop.call_later(seconds, self._wake.set)

    async def _fail(self, one: OpenBulk, row: RowBody, error: GatewayError) -> None:
        """End a row that is not handed on."""
        session, body = self._registry.held_session(one.session_id), error.body()
        try:
            if session is None:
                return
            command = one.command_of_failed(row)
            change = self._outcomes.failure(command, body, attempts=0, epoch=one.epoch)
            change = of_row(change, one.key(row.row), one.bulk.bulk_id, RowState.FAILED)
            if (await session.record(change)).applied:
                self._count(one, body)
        finally:
            one.has_left(row.row)
            self._wake.set()

    def _count(self, one: OpenBulk, error: ErrorBody | None) -> None:
        """Note the end of a row, which is committed."""
        reason = one.count(error)
        self.ended[state_after(error)] += 1
        one.moved_at = asyncio.get_running_loop().time()
        if reason is not None and one.bulk.state is BulkState.RUNNING and not one.is_held:
            self._stop(one, reason)
            return
        now = asyncio.get_running_loop().time()
        if now - one.told_at >= PROGRESS_SECONDS and one.ended < one.bulk.rows:
            one.told_at = now
            self._post("tell", one, partial(self.reports.tell, one))

    def _stop(self, one: OpenBulk, reason: BulkReason) -> None:
        """Pause a bulk, and say why."""
        one.is_held = True
        self._held.add((one.session_id, one.bulk.bulk_id))
        log.warning(
            "bulk.stopped", session_id=one.session_id, bulk_id=one.bulk.bulk_id, reason=reason
        )
        self._post("tell", one, partial(self.reports.pause, one, reason))
