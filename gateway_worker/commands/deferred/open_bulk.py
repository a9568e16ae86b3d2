"""A bulk that is not over, as the worker that has its session sees it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from gateway_contracts import (
    BulkReason,
    BulkRow,
    BulkState,
    ErrorBody,
    ErrorCode,
    MessageSend,
    MessageSendData,
    TextToSend,
)
from gateway_worker.commands.deferrals import RowBody
from gateway_worker.commands.deferred.delivery import LONGEST_POSTPONED
from gateway_worker.commands.deferred.rows_aside import RowsAside
from gateway_worker.commands.deferred.template import FaultyRowError, Template
from gateway_worker.sessions.deferred import Bulk, DeferredKey, RowState

_REASONS: Final = {
    ErrorCode.ACCOUNT_RESTRICTED: BulkReason.ACCOUNT_RESTRICTED,
    ErrorCode.REACHOUT_RESTRICTED: BulkReason.REACHOUT_RESTRICTED,
    ErrorCode.SESSION_NOT_LINKED: BulkReason.NOT_LINKED,
}
"""Ends of one row after which no other is tried."""
_NOTHING: Final = TextToSend.model_construct(text="")
_LOOKED_AT: Final = 100
"""So many rows are looked at for one that may be sent before others have their turn."""
_LONGEST_ASIDE: Final = 600.0
"""After so many seconds it is looked again whether it is still quiet."""

Quiet = Callable[[str], float]
"""Returns for how many seconds a recipient is to be left alone; 0 if it is not quiet there."""


def state_after(error: ErrorBody | None) -> RowState:
    """Return how a row has ended, by its error if it has one."""
    if error is None:
        return RowState.SUCCEEDED
    return RowState.UNCERTAIN if error.code is ErrorCode.UNCERTAIN else RowState.FAILED


@dataclass(eq=False, slots=True, kw_only=True)
class OpenBulk:
    """What of a bulk is in memory.

    Attributes:
        session_id: Whose it is.
        epoch: The one under which this worker has the session.
        bulk: It, as it was when it was first seen here; its state is kept up to date.
        template: What its rows have in common.
        counts: How many rows have ended so.
        waiting: The next rows, in order.
        aside: Rows before those, whose recipients have quiet hours.
        last: The last row that was read.
        is_read: Whether no more rows wait than those.
        is_reading: Whether rows are being read.
        has_begun_only: Whether those that wait have begun before: it is cancelled, and only these
            go on.
        unread_until: Until when no rows are to be read, by the loop's clock.
        fed: Those that were handed on and have no end.
        left_fed: Set whenever one of these has left them.
        is_held: Whether nothing is handed on, whatever its state.
        is_ending: Whether its end is being written.
        changes: How many there are who call rows of it off now.
        readings: How often it was to be read anew: what was read before that is void.
        not_before: Until when its session's pacing holds its rows back, likewise.
        told_at: When it was last told how far it is, by the loop's clock.
        moved_at: When it last had a reason to stand still, or a row had its end, likewise.
        before: How many rows had ended, and how many not well, when its backend last let it go on.
    """

    session_id: str
    epoch: int
    bulk: Bulk
    template: Template
    counts: dict[RowState, int]
    waiting: deque[RowBody] = field(default_factory=deque)
    aside: RowsAside = field(default_factory=RowsAside)
    last: int = 0
    is_read: bool = False
    is_reading: bool = False
    has_begun_only: bool = False
    unread_until: float = 0.0
    fed: dict[int, RowBody] = field(default_factory=dict)
    left_fed: asyncio.Event = field(default_factory=asyncio.Event)
    is_held: bool = False
    is_ending: bool = False
    changes: int = 0
    readings: int = 0
    not_before: float = 0.0
    told_at: float = 0.0
    moved_at: float = 0.0
    before: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, session_id: str, epoch: int, bulk: Bulk) -> "OpenBulk":
        """Begin with a bulk as the database has it."""
        return cls(
            session_id=session_id,
            epoch=epoch,
            bulk=bulk,
            template=Template.read(bulk.options["content"]),
            counts={
                RowState.SUCCEEDED: bulk.succeeded,
                RowState.FAILED: bulk.failed,
                RowState.UNCERTAIN: bulk.uncertain,
            },
        )

    def now_is(self, bulk: Bulk) -> None:
        """Note how it stands in the database by now."""
        if bulk.state is BulkState.CANCELLING and self.bulk.state is not BulkState.CANCELLING:
            self.is_read = self.has_begun_only = False
        self.bulk = replace(
            self.bulk, state=bulk.state, reason=bulk.reason, cancelled=bulk.cancelled
        )

    def read_anew(self) -> None:
        """Read all rows again that have no end: some have come back."""
        self.is_read, self.last = False, 0
        self.readings += 1

    def next_row(self, at: float, *, quiet: Quiet, under: object) -> RowBody | None:
        """Take the next row that may be sent now; None if there is none, or others have their turn.

        Those before it are set aside. If there are too many of these, the bulk waits.

        Args:
            at: Now, by the loop's clock.
            quiet: Tells about recipients.
            under: What that depends on: as long as it is the same object, nothing else is so.
        """
        self.waiting.extendleft(reversed(self.aside.take(at, under=under)))
        for _ in range(min(_LOOKED_AT, len(self.waiting))):
            row = self.waiting.popleft()
            seconds = quiet(_recipient(row) or "")
            if seconds <= 0:
                return row
            if self.aside.is_full:
                self.waiting.appendleft(row)
                self.not_before = at + min(seconds, LONGEST_POSTPONED)
                return None
            self.aside.put(row, until=at + min(seconds, _LONGEST_ASIDE))
        return None

    def forget_waiting(self) -> None:
        """Have no row at hand: they are read anew, or not at all."""
        self.waiting.clear()
        self.aside.clear()

    def has_left(self, row: int) -> None:
        """Note that a row that was handed on has its end, or was put back."""
        self.fed.pop(row, None)
        self.left_fed.set()

    def fed_to(self, recipients: Collection[str]) -> frozenset[int]:
        """Return which of the rows that were handed on go to somebody."""
        rows = self.fed.values()
        return frozenset(row.row for row in rows if _recipient(row) in recipients)

    async def until_left(self, rows: Collection[int], *, seconds: float) -> None:
        """Return when none of some rows is under way any more, or after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.fed.keys().isdisjoint(rows):
                    self.left_fed.clear()
                    await self.left_fed.wait()

    @property
    def is_changing(self) -> bool:
        """Whether rows of it are being called off."""
        return self.changes > 0

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let nothing of it begin while rows are called off; then all that are left are read."""
        self.changes += 1
        try:
            yield
        finally:
            self.changes -= 1
            self.forget_waiting()
            self.read_anew()

    @property
    def is_over(self) -> bool:
        """Whether nothing of it waits, nor is under way."""
        is_waiting = bool(self.waiting or self.aside)
        return self.is_read and not is_waiting and not self.fed and not self.is_reading

    @property
    def may_end(self) -> bool:
        """Whether it is over, and nobody holds it up."""
        may = not self.is_busy and not self.is_held and self.bulk.state is not BulkState.PAUSED
        return self.is_over and may

    @property
    def is_busy(self) -> bool:
        """Whether its end is written, or rows of it go: nothing of it begins meanwhile."""
        return self.is_ending or self.is_changing

    @property
    def ended(self) -> int:
        """How many rows have their end."""
        return sum(self.counts.values())

    @property
    def not_well(self) -> int:
        """How many of them have failed, or may have."""
        return self.counts[RowState.FAILED] + self.counts[RowState.UNCERTAIN]

    def is_running(self, now: datetime) -> bool:
        """Whether its next row may be handed on, as far as its backend is concerned."""
        has_begun = self.bulk.starts_at is None or self.bulk.starts_at <= now
        return self.bulk.state is BulkState.RUNNING and not self.is_held and has_begun

    def stalled_seconds(self, at: float) -> float:
        """Return for how long none of its rows has ended and nothing has told it to wait.

        Args:
            at: Now, by the loop's clock.
        """
        if self.is_over or self.is_held or self.bulk.state is not BulkState.RUNNING:
            return 0.0
        if self.aside and not self.waiting and not self.fed:  # for quiet hours to end
            return 0.0
        return max(0.0, at - max(self.moved_at, self.not_before))

    def key(self, row: int) -> DeferredKey:
        """Return where a row is."""
        return DeferredKey(batch=self.bulk.load, row=row)

    def command(self, row: RowBody) -> MessageSend:
        """Return what a row is: the same command each time.

        Raises:
            ValueError: It was stored by a release that knew other contents.
            FaultyRowError: Likewise.
        """
        options: dict[str, Any] = self.bulk.options
        said = BulkRow.model_validate_json(row.body)
        return MessageSend(
            id=f"{self.bulk.bulk_id}/{row.row}",
            source=options["source"],
            subject=self.session_id,
            tenantid=options["tenantid"],
            traceparent=options["traceparent"],
            data=MessageSendData(
                to=said.to, content=self.template.fill(said), client_ref=said.client_ref
            ),
        )

    def command_of_failed(self, row: RowBody) -> MessageSend:
        """Return what a row is of which only the failure is told: it may be one nobody can read."""
        try:
            return self.command(row)
        except (ValidationError, FaultyRowError):
            options: dict[str, Any] = self.bulk.options
            return MessageSend.model_construct(
                id=f"{self.bulk.bulk_id}/{row.row}",
                source=options["source"],
                subject=self.session_id,
                tenantid=options["tenantid"],
                traceparent=options["traceparent"],
                data=MessageSendData.model_construct(to="", content=_NOTHING, client_ref=None),
            )

    def count(self, error: ErrorBody | None) -> BulkReason | None:
        """Note how a row has ended; returns why no other is to begin, if that is so."""
        self.counts[state_after(error)] += 1
        if error is None:
            return None
        if self.ended + self.bulk.cancelled >= self.bulk.rows:
            return None  # nothing is left to pause: it is over
        if error.code in _REASONS:
            return _REASONS[error.code]
        stop = self.bulk.options["stop"]
        ended, failed = self.ended - self.before[0], self.not_well - self.before[1]
        if ended >= stop["after_rows"] and failed * 100 > stop["failed_percent"] * ended:
            return BulkReason.FAILURES
        return None

    def begin_anew(self) -> None:
        """Forget how many rows have failed so far: somebody has looked at that."""
        self.before = (self.ended, self.not_well)


def _recipient(row: RowBody) -> str | None:
    """Return to whom a row goes, as it says it; None if it cannot be read."""
    try:
        return BulkRow.model_validate_json(row.body).to
    except ValidationError:  # stored by another release
        return None
