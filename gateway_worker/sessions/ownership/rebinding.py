"""How the commands of a session are routed here when another worker had it before.

They are bound to this worker's queue and unbound from the former owner's; a marker goes into that
queue, after all that is in there for the session. Every step may be repeated, and is, until the
marker has come: see `commands/hold_back_queue.py` for what it is good for.
"""

import asyncio
from collections.abc import Callable

import structlog

from gateway_worker.errors import DependencyError
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind, PeerMessages
from gateway_worker.sessions.ports import CommandBindings, PendingMarker

log = structlog.get_logger(__name__)

REMINDER_SECONDS = 10.0
"""After so long a marker that has not come is sent once more."""


class Rebinder:
    """Binds sessions to this worker's queue, whatever their former owners' queues still hold.

    Args:
        worker_id: This worker.
        bindings: The broker's bindings.
        peer_messages: Sends the markers.
        pending: Tells which markers a session waits for now; none if it is not ours any more.
        is_ours: Whether this worker has a session. One that it has lost is not routed here again.
        lease_state: The worker's lease. Without it nothing is routed: a worker that stood still in
            the middle of this may wake up when others have the session, and would undo what they
            did.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        bindings: CommandBindings,
        peer_messages: PeerMessages,
        pending: Callable[[str], tuple[PendingMarker, ...]],
        is_ours: Callable[[str], bool],
        lease_state: LeaseState,
    ) -> None:
        self._worker_id = worker_id
        self._bindings = bindings
        self._peer_messages = peer_messages
        self._pending = pending
        self._is_ours = is_ours
        self._lease_state = lease_state
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def take(self, session_id: str) -> None:
        """Route a session's commands here; if the broker is unavailable, as soon as it answers.

        Returns after the first attempt. What is left to do goes on in the background.
        """
        try:
            await self._route(session_id)
        except DependencyError as error:
            log.warning("session.not_routed", session_id=session_id, reason=str(error))
            self._go_on(session_id, routed=False)
        else:
            if self._pending(session_id):
                self._go_on(session_id, routed=True)

    async def close(self) -> None:
        """Stop what goes on in the background."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def release(self, session_id: str) -> None:
        """Stop caring: the session is not ours any more."""
        if (task := self._tasks.pop(session_id, None)) is not None:
            task.cancel()
        self._bindings.disown(session_id)

    async def turn_away(self, session_id: str) -> None:
        """Stop routing here what another worker owns, and gets as well.

        A worker that had lost a session without hearing of it, and its connection with it, has made
        the binding anew.
        """
        try:
            await self._bindings.unbind_disowned(session_id)
        except DependencyError as error:
            log.warning("session.not_turned_away", session_id=session_id, reason=str(error))
        else:
            log.info("session.turned_away", session_id=session_id)

    def _go_on(self, session_id: str, *, routed: bool) -> None:
        if (task := self._tasks.get(session_id)) is not None and not task.done():
            return
        self._tasks[session_id] = asyncio.create_task(
            self._insist(session_id, routed=routed), name=f"route:{session_id}"
        )

    async def _insist(self, session_id: str, *, routed: bool) -> None:
        backoff = Backoff(initial_seconds=0.2, maximum_seconds=5.0)
        while not routed or self._pending(session_id):
            await asyncio.sleep(REMINDER_SECONDS if routed else backoff.next_seconds())
            if routed and not self._pending(session_id):
                break
            try:
                await self._route(session_id)
                routed = True
            except DependencyError as error:
                log.warning("session.not_routed", session_id=session_id, reason=str(error))
        self._tasks.pop(session_id, None)

    async def _route(self, session_id: str) -> None:
        # The own queue is marked before it is bound: what comes directly from then on is new, what
        # was in it is from an earlier time of ours. Bound before unbound: a command that is routed
        # to both is recognised by its id, one that is routed to neither would have to be fetched
        # from the queue of the unassigned.
        pending = self._pending(session_id)
        others = [marker for marker in pending if marker.queue_of != self._worker_id]
        for marker in pending:
            if marker not in others:
                await self._mark(session_id, marker)
        if not self._may_route(session_id):
            return
        await self._bindings.bind(session_id)
        if not self._may_route(session_id):  # lost meanwhile: nobody else takes the binding back
            self._bindings.disown(session_id)
            await self._bindings.unbind_disowned(session_id)
            return
        for worker_id in dict.fromkeys(marker.queue_of for marker in others):
            if self._may_route(session_id):
                await self._bindings.unbind_from(session_id, worker_id)
        for marker in others:
            await self._mark(session_id, marker)

    def _may_route(self, session_id: str) -> bool:
        """Whether the session is still ours; raises `DependencyError` without the lease."""
        if not self._lease_state.is_held:
            raise DependencyError("the lease is not held")
        return self._is_ours(session_id)

    async def _mark(self, session_id: str, marker: PendingMarker) -> None:
        if not self._may_route(session_id):
            return
        message = PeerMessage(
            kind=PeerMessageKind.MARKER, session_id=session_id, epoch=marker.epoch
        )
        await self._peer_messages.send_peer_message(
            PeerMessageKind.MARKER, worker_id=marker.queue_of, body=message.encode()
        )
