"""Takes on commands whose time has not come: stores them, and says so."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway_contracts import Command, MessageSend, StatusPost
from gateway_worker.commands.attempts import Attempts, PostponedError
from gateway_worker.commands.ends import CommandEnds, End
from gateway_worker.commands.fingerprint import fingerprint
from gateway_worker.commands.outcomes import due_at_of
from gateway_worker.commands.ports import Delivery, Entry, Settlement, Verdict
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.errors import GatewayError, InvalidCommandError, SessionNotFoundError
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.deferred import DeferredRow
from gateway_worker.sessions.ownership.manager import OwnedElsewhereError, SessionManager
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

FURTHEST: Final = timedelta(days=90)
"""How far ahead a command may be scheduled."""


class Acceptance:
    """Stores commands until their time has come.

    Args:
        manager: This worker's sessions.
        attempts: Knows what the inbox has.
        ends: Commits.
        clock: The time.
        is_closed: Whether a session takes on nothing more: it is being deleted.
        on_accepted: Called with when something becomes due.
    """

    def __init__(
        self,
        *,
        manager: SessionManager,
        attempts: Attempts,
        ends: CommandEnds,
        clock: Clock,
        is_closed: Callable[[Session], bool],
        on_accepted: Callable[[datetime], None],
    ) -> None:
        self._manager = manager
        self._attempts = attempts
        self._ends = ends
        self._clock = clock
        self._is_closed = is_closed
        self._on_accepted = on_accepted

    def takes(self, delivery: Delivery, content: object) -> bool:
        """Whether a delivery is a command whose time has not come yet."""
        if delivery.deferred is not None or not isinstance(content, MessageSend | StatusPost):
            return False
        due_at = due_at_of(content)
        return due_at is not None and due_at > self._clock.now()

    async def run(self, delivery: Delivery, command: Command, *, arrived: float) -> bool:
        """Store a command and settle it; False if another worker owns its session."""
        stopwatch = Stopwatch(arrived=arrived)
        stopwatch.lap("queue")
        entry = await self._attempts.look(command)
        stopwatch.lap("inbox")
        try:
            end = await self._end_of(delivery, command, entry)
        except OwnedElsewhereError:
            return False
        except PostponedError:
            await delivery.settle(Settlement.ACK)
            return True
        if (await self._ends.commit(delivery, command, end, stopwatch)).fenced:
            return False
        await self._ends.settle(delivery, command, end, stopwatch)
        log.info("command.scheduled" if end.error is None else "command.settled", outcome=end.name)
        if end.change.deferred is not None:
            self._on_accepted(end.change.deferred.due_at)
        return True

    async def _end_of(self, delivery: Delivery, command: Command, entry: Entry) -> End:
        epoch = self._manager.registry.epoch_of(command.subject)
        if (answer := self._ends.answer_of(command, entry, epoch)) is not None:
            return answer
        try:
            session = await self._find(command.subject)
            row = self._row(delivery, command)
        except SessionNotFoundError as error:
            if await self._attempts.session_may_come(delivery, command):
                raise PostponedError from error
            return self._ends.failure(command, error, entry)
        except GatewayError as error:
            return self._ends.failure(command, error, entry)
        is_known = entry.verdict is not Verdict.NEW
        return self._ends.scheduled(
            command, epoch=session.epoch, row=None if is_known else row, due_at=row.due_at
        )

    async def _find(self, session_id: str) -> Session:
        session = await self._manager.find(session_id)
        if self._is_closed(session):
            raise SessionNotFoundError(f"the session {session_id} is being deleted")
        return session

    def _row(self, delivery: Delivery, command: Command) -> DeferredRow:
        """Return what is stored.

        Raises:
            InvalidCommandError: It is too far ahead, or would be too late then.
        """
        due_at = due_at_of(command)
        assert due_at is not None
        if due_at > self._clock.now() + FURTHEST:
            raise InvalidCommandError(
                f"at most {FURTHEST.days} days ahead", pointer="/data/scheduled_at"
            )
        if command.expirytime is not None and command.expirytime <= due_at:
            raise InvalidCommandError("its deadline is before its time", pointer="/expirytime")
        return DeferredRow(
            command_id=command.id,
            command_type=command.type,
            fingerprint=fingerprint(command),
            due_at=due_at,
            body=delivery.body,
        )
