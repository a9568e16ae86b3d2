"""What a backend may do about what waits: list it, and call it off."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from weakref import WeakSet

import structlog

from gateway_contracts import (
    BulkState,
    Command,
    CommandRejectedError,
    ErrorCode,
    MessageSend,
    SessionEvent,
    parse_command,
)
from gateway_worker.commands.deferrals import BulkStore, Deferrals, DeferredStore, Waiting
from gateway_worker.commands.deferred.bulk_feeder import BulkFeeder
from gateway_worker.commands.deferred.feeder import Feeder
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.outcomes import Outcomes
from gateway_worker.commands.ports import Entry, Received, Verdict
from gateway_worker.errors import (
    CancelledError,
    DependencyError,
    GatewayError,
    InvalidCommandError,
    UncertainError,
)
from gateway_worker.sessions.changes import Change, Committed
from gateway_worker.sessions.chats import chat_of
from gateway_worker.sessions.deferred import BULK_OVER, Bulk, BulkUpdate, DeferredEnd, RowState
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

_PAGE: Final = 200
_PHONE: Final = "@s.whatsapp.net"


class DeferredCommands(Deferrals):
    """Lists and calls off what is scheduled.

    While one is called off, or a session is deleted, nothing of the session may run that sends: who
    asks for it is a command of the session's life. What was handed on and has not begun finds its
    end in the inbox then. When all is called off that waits, what was handed on has its own end.

    Args:
        worker_id: This worker.
        store: What waits.
        bulks: Bulks and their rows.
        feeder: Sends these.
        schedule: Hands on what is scheduled.
        inbox: What has begun.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        store: DeferredStore,
        bulks: BulkStore,
        feeder: BulkFeeder,
        schedule: Feeder,
        inbox: Inbox,
    ) -> None:
        self._worker_id = worker_id
        self._store = store
        self._bulks = bulks
        self._feeder = feeder
        self._schedule = schedule
        self._inbox = inbox
        self._outcomes = Outcomes(worker_id=worker_id)
        self._closed: WeakSet[Session] = WeakSet()

    def close(self, session: Session) -> None:
        """Take on nothing more for a session: it is being deleted."""
        self._closed.add(session)

    def reopen(self, session: Session) -> None:
        """Take on more after all."""
        self._closed.discard(session)

    def is_closed(self, session: Session) -> bool:
        """Whether a session takes on nothing more."""
        return session in self._closed

    async def page(
        self, session_id: str, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Waiting]:
        """Return what is scheduled, the next due first. Raises `DependencyError`."""
        return await self._store.page(session_id, after=after, limit=limit)

    async def cancel(self, session: Session, command_id: str) -> None:
        """End a scheduled command as `cancelled`; see the port."""
        waiting = await self._store.get(session.session_id, command_id)
        entry = await self._look(session.session_id, command_id)
        if waiting is None or entry.verdict is not Verdict.KNOWN:
            _check_cancelled(entry)
            return
        change = self._end(session, waiting, entry)
        if not (await self._record(session, change)).applied:
            raise DependencyError("what was to be called off has changed meanwhile")
        log.info("command.cancelled", session_id=session.session_id, cancelled_id=command_id)

    async def cancel_all(self, session: Session) -> int:
        """End all that waits; see the port."""
        ended = await self._cancel_scheduled(session)
        for _, bulk in await self._bulks.open_bulks([session.session_id]):
            ended += bulk.rows - bulk.ended
            await self._cancel_bulk(session, bulk)
        log.info("commands.cancelled", session_id=session.session_id, commands=ended)
        return ended

    async def cancel_to(self, session: Session, ids: Collection[str]) -> int:
        """End what waits for a person; see the port."""
        ended = await self._cancel_scheduled(session, to=ids)
        for _, bulk in await self._bulks.open_bulks([session.session_id]):
            ended += await self._feeder.cancel_to(session, bulk, _spelled(ids))
        if ended:
            log.info("commands.cancelled", session_id=session.session_id, commands=ended)
        return ended

    async def _cancel_scheduled(
        self, session: Session, *, to: Collection[str] | None = None
    ) -> int:
        """End what is scheduled and has not begun; when the session is deleted, all of it.

        Args:
            session: Whose.
            to: The ids of those to whom it goes; None for all.
        """
        # What was taken on before this is to be found, and nothing comes after it.
        await self._record(session, Change(session_id=session.session_id, epoch=session.epoch))
        self._schedule.hold(session.session_id)
        try:
            return await self._cancel_idle(session, to)
        finally:
            self._schedule.release(session.session_id)

    async def _cancel_idle(self, session: Session, to: Collection[str] | None) -> int:
        ended, after = 0, None
        while rows := await self._store.page(session.session_id, after=after, limit=_PAGE):
            after = (rows[-1].due_at, rows[-1].key.batch)
            entries = await asyncio.gather(
                *(self._look(row.session_id, row.key.batch) for row in rows)
            )
            changes = [
                self._end(session, row, entry)
                for row, entry in zip(rows, entries, strict=True)
                if (self.is_closed(session) or self._is_idle(row, entry)) and _goes_to(row, to)
            ]
            await asyncio.gather(*(self._record(session, change) for change in changes))
            ended += len(changes)
        return ended

    def _is_idle(self, row: Waiting, entry: Entry) -> bool:
        """Whether one has not begun: otherwise it comes to its own end."""
        is_fed = self._schedule.is_fed(row.session_id, row.key)
        return not is_fed and entry.verdict is not Verdict.INTERRUPTED

    async def farewells(self, session_id: str) -> Sequence[SessionEvent]:
        """Return what is to be told of all that waits in a session that is deleted."""
        told: list[SessionEvent] = []
        after: tuple[datetime, str] | None = None
        while rows := await self._store.page(session_id, after=after, limit=_PAGE):
            for row in rows:
                entry, command = await self._look(session_id, row.key.batch), _read(row)
                if command is not None and entry.verdict is not Verdict.FINISHED:
                    told += self._failure(command, entry, epoch=None).events
            after = (rows[-1].due_at, rows[-1].key.batch)
        for _, bulk in await self._bulks.open_bulks([session_id]):
            ended = replace(bulk, state=BulkState.CANCELLED, cancelled=_cancelled(bulk))
            told.append(self._feeder.reports.finished(session_id, ended, result=None))
        return told

    async def _cancel_bulk(self, session: Session, bulk: Bulk) -> None:
        """End a bulk: at once if its session is being deleted, with its rows."""
        key = (session.session_id, bulk.bulk_id)
        self._feeder.hold(*key)
        at_once = self.is_closed(session)
        state = BulkState.CANCELLED if at_once else BulkState.CANCELLING
        ended = replace(bulk, state=state, cancelled=_cancelled(bulk))
        told = self._feeder.reports.finished(session.session_id, ended, result=None)
        update = BulkUpdate(
            bulk_id=bulk.bulk_id,
            before=frozenset(set(BulkState) - BULK_OVER),
            state=state,
        )
        change = Change(
            session_id=session.session_id,
            epoch=session.epoch,
            events=(told,) if at_once else (),
            bulk_update=update,
        )
        await self._record(session, change)
        if not at_once:
            self._feeder.release(*key)

    async def _look(self, session_id: str, command_id: str) -> Entry:
        return await self._inbox.look(
            Received(
                command_id=command_id,
                session_id=session_id,
                command_type="",
                worker_id=self._worker_id,
            )
        )

    def _end(self, session: Session, waiting: Waiting, entry: Entry) -> Change:
        """Return the end of one that will not be executed."""
        command = _read(waiting)
        end = DeferredEnd(key=waiting.key, state=RowState.FAILED)
        if command is None or entry.verdict is Verdict.FINISHED:
            return Change(session_id=session.session_id, epoch=session.epoch, deferred_end=end)
        change = self._failure(command, entry, epoch=session.epoch)
        return Change(
            session_id=change.session_id,
            epoch=change.epoch,
            events=change.events,
            outcome=change.outcome,
            deferred_end=end,
        )

    def _failure(self, command: Command, entry: Entry, *, epoch: int | None) -> Change:
        error: GatewayError = CancelledError("it was called off before its time")
        if entry.verdict is Verdict.INTERRUPTED:
            error = UncertainError("it was called off, and may have been sent before")
        return self._outcomes.failure(command, error.body(), attempts=entry.attempts, epoch=epoch)

    @staticmethod
    async def _record(session: Session, change: Change) -> Committed:
        committed = await session.record(change)
        if committed.fenced:
            raise DependencyError("another worker has the session")
        return committed


def _cancelled(bulk: Bulk) -> int:
    """Return how many rows of a bulk are not sent if it ends now."""
    return bulk.cancelled + bulk.rows - bulk.ended


def _check_cancelled(entry: Entry) -> None:
    """Raise `InvalidCommandError` unless a command was called off before."""
    error = entry.outcome.error if entry.outcome is not None else None
    if error is None or error.code is not ErrorCode.CANCELLED:
        raise InvalidCommandError(
            "no command of this id waits for its time; it may have begun, or ended",
            pointer="/data/command_id",
        )


def _spelled(ids: Collection[str]) -> list[str]:
    """Return how recipients may be written who have these ids."""
    users = [one.removesuffix(_PHONE) for one in ids if one.endswith(_PHONE)]
    return [*ids, *users, *(f"+{number}" for number in users)]


def _goes_to(waiting: Waiting, ids: Collection[str] | None) -> bool:
    """Whether a command is one to these ids; None stands for all."""
    if ids is None:
        return True
    command = _read(waiting)
    return isinstance(command, MessageSend) and chat_of(command.data.to) in ids


def _read(waiting: Waiting) -> Command | None:
    try:
        return parse_command(waiting.body)
    except CommandRejectedError:  # of a release that knew other commands
        log.exception("deferred.unreadable", session_id=waiting.session_id)
        return None
