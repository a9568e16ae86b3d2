"""What ends a wait: a command's own deadline, and the bound for what is held back after a move."""

import asyncio
from collections.abc import Callable

import structlog

from gateway_contracts import Command, CommandRejectedError
from gateway_worker.commands.hold_back_queues import HoldBackQueues
from gateway_worker.commands.lanes import Lane
from gateway_worker.commands.scheduler import Scheduler
from gateway_worker.commands.work import InterleavedJob, Work
from gateway_worker.errors import NotAttemptedError
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageError

log = structlog.get_logger(__name__)

HOLD_SECONDS = 120.0
"""How long a command waits for older ones in the queues of its session's former owners while none
of these has its turn. Then it fails, for those queues cannot be read; it is not executed out of its
order."""


class Deadlines:
    """Lets what has waited for too long go past everything, to its end.

    Args:
        seconds_left: Returns how long it is until a command's deadline; None if it has none.
        scheduler: Where commands are queued.
        hold_back_queues: Where they wait for older ones.
        hold_seconds: See `HOLD_SECONDS`.
    """

    def __init__(
        self,
        *,
        seconds_left: Callable[[Command], float | None],
        scheduler: Scheduler[Work | InterleavedJob],
        hold_back_queues: HoldBackQueues[Work],
        hold_seconds: float,
    ) -> None:
        self._until_deadline = seconds_left
        self._scheduler = scheduler
        self._hold_back_queues = hold_back_queues
        self._hold_seconds = hold_seconds

    def watch(self, session_id: str, work: Work) -> None:
        """End a command's waiting at its deadline, if it has one."""
        left = self.seconds_left(work)
        if left is not None:
            _set_alarm(work, left, lambda: self._end_overdue(session_id, work))

    def watch_held(self, session_id: str, work: Work) -> None:
        """End the waiting of one that is held back, if nothing comes that goes before it."""
        _set_alarm(work, self._hold_seconds, lambda: self._end_held(session_id, work))

    def is_overdue(self, work: Work) -> bool:
        """Whether it is a command whose deadline has passed."""
        left = self.seconds_left(work)
        return left is not None and left <= 0

    def seconds_left(self, work: Work) -> float | None:
        """Return how long it is until a command's deadline; None if there is none."""
        content = work.content
        if isinstance(content, PeerMessage | CommandRejectedError | PeerMessageError):
            return None
        return self._until_deadline(content)

    def _end_overdue(self, session_id: str, work: Work) -> None:
        left = self.seconds_left(work)
        if left is not None and left > 0:  # it rang a little early, or the clock was set back
            _set_alarm(work, left, lambda: self._end_overdue(session_id, work))
            return
        # What runs looks itself.
        ticket = work.ticket
        is_queued = ticket is not None and self._scheduler.remove(session_id, ticket)
        if is_queued or self._hold_back_queues.remove(session_id, work):
            self._scheduler.post(session_id, work, lane=Lane.FREE)

    def _end_held(self, session_id: str, work: Work) -> None:
        idle = self._hold_back_queues.idle_seconds(session_id, work)
        if idle is not None and idle < self._hold_seconds:  # what goes before it is coming
            left = self._hold_seconds - idle
            _set_alarm(work, left, lambda: self._end_held(session_id, work))
        elif self._hold_back_queues.remove(session_id, work):
            log.error("command.held_too_long", session_id=session_id)
            work.failure = NotAttemptedError(
                "commands that go before it, in the queue of a worker that had the session, cannot "
                "be read; it was not executed"
            )
            self._scheduler.post(session_id, work, lane=Lane.FREE)


def _set_alarm(work: Work, seconds: float, ring: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    work.alarms.append(loop.call_later(max(0.0, seconds), ring))
