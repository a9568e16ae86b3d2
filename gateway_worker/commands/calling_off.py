"""Calls off what waits for a session: each such command ends with `cancelled`."""

from typing import TypeAlias

from gateway_worker.commands.hold_back_queues import HoldBackQueues
from gateway_worker.commands.lanes import Lane
from gateway_worker.commands.purging import DETAIL
from gateway_worker.commands.scheduler import Scheduler
from gateway_worker.commands.work import InterleavedJob, Work
from gateway_worker.errors import CancelledError
from gateway_worker.sessions.peer_messages import PeerMessage

Commands: TypeAlias = "Scheduler[Work | InterleavedJob]"

_LANES = (Lane.SENDS, Lane.QUERIES)
"""What asks something of WhatsApp. What changes the session is not called off, nor what is answered
at once."""


class CallingOff:
    """Calls off commands.

    Args:
        scheduler: Where they are queued.
        hold_back_queues: Where they wait for older ones after a move.
    """

    def __init__(self, *, scheduler: Commands, hold_back_queues: HoldBackQueues[Work]) -> None:
        self._scheduler, self._hold_back_queues = scheduler, hold_back_queues

    def purge(self, session_id: str, before: float) -> int:
        """Call off what waits for a session; returns how many commands that were.

        Args:
            session_id: The session.
            before: Only what came before this, by the monotonic clock.
        """
        count = 0
        for ticket in self._scheduler.tickets(session_id, _LANES):
            work = ticket.item
            if not isinstance(work, Work) or not _is_meant(work, before):
                continue
            if self._scheduler.remove(session_id, ticket):
                self._fail(session_id, work)
                count += 1
            else:
                count += self._scheduler.call_off(ticket)
        for work in self._hold_back_queues.items(session_id):
            if _is_meant(work, before) and work.lane in _LANES:
                self._hold_back_queues.remove(session_id, work)
                self._fail(session_id, work)
                count += 1
        return count

    def _fail(self, session_id: str, work: Work) -> None:
        """Let a command go past everything, to its end."""
        work.failure = CancelledError(DETAIL)
        work.ticket = self._scheduler.post(session_id, work, lane=Lane.FREE)


def _is_meant(work: Work, before: float) -> bool:
    return work.arrived < before and not isinstance(work.content, PeerMessage)
