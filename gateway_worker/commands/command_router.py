"""Finds out where a session is, and what that means for an unsettled delivery of it."""

from dataclasses import dataclass, replace

from gateway_worker.commands.handover_path import (
    Step,
    Way,
    find_entry,
    next_step,
    next_step_of_marker,
)
from gateway_worker.commands.ports import Delivery
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind
from gateway_worker.sessions.ports import Whereabouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What is to be done with a delivery.

    Attributes:
        where: Where its session is.
        step: Where the delivery goes; None if there is nowhere to go to.
        is_over: It is a marker that nobody waits for any more.
        is_here: It has arrived: this worker is to deal with it.
        is_blocked: Its way ends in the queue of a dead worker that still owns the session.
        is_leaving: It is a marker that comes out of the queue that it ends: that is to be noted
            before it goes on, but after all that was held here.
        is_misdirected: It is a command that was routed to this worker after the session had gone;
            its owner gets what is published now as well.
    """

    where: Whereabouts
    step: Step | None
    is_over: bool = False
    is_here: bool
    is_blocked: bool = False
    is_leaving: bool = False
    is_misdirected: bool = False


class CommandRouter:
    """Tells the way of deliveries, with one look at the database at most.

    Args:
        manager: The sessions of this worker, and who owns the others.
    """

    def __init__(self, *, manager: SessionManager) -> None:
        self._manager = manager

    async def find_route(
        self, session_id: str, delivery: Delivery, control: PeerMessage | None
    ) -> Route:
        """Return what is to be done with a delivery, as things stand.

        If the session turns out to be somebody else's, it is no longer held here afterwards.
        """
        way = Way(
            queue_of=delivery.origin,
            came_from=delivery.came_from,
            stage=delivery.stage,
            hop=delivery.hop,
        )
        if control is None:
            return await self._route_of_command(session_id, delivery, way)
        where = await self._manager.directory.whereabouts(session_id, anew=True)
        if where.worker_id is None:
            return self._route(delivery, where, None)
        if control.kind is not PeerMessageKind.MARKER:
            step = Step(worker_id=where.worker_id, stage=None, hop=where.epoch)
            return self._route(delivery, where, step)
        entry = find_entry(control.epoch, where.pending)
        step_on = next_step_of_marker(way, control.epoch, where.worker_id, where)
        is_leaving = entry is not None and not entry.left and way.hop is None
        return replace(
            self._route(delivery, where, step_on), is_over=step_on is None, is_leaving=is_leaving
        )

    async def _route_of_command(self, session_id: str, delivery: Delivery, way: Way) -> Route:
        known_to = max(way.stage or 0, way.hop or 0)
        where = await self._manager.directory.whereabouts(session_id, known_to=known_to)
        route = self._route(delivery, where, _step(way, where))
        if where.worker_id == self._manager.directory.worker_id and not route.is_here:
            # As far as this worker knows, a marker has not come out of its own queue yet. Somebody
            # else may have attended the queue meanwhile.
            where = await self._manager.directory.whereabouts(session_id, anew=True)
            route = self._route(delivery, where, _step(way, where))
        return route

    def _route(self, delivery: Delivery, where: Whereabouts, step: Step | None) -> Route:
        here, owner = self._manager.directory.worker_id, where.worker_id
        is_attended = delivery.origin not in (None, here)
        if step is None:
            return Route(where=where, step=None, is_here=True)
        is_last = step.worker_id == owner
        is_direct = step.stage is None and delivery.hop is None and delivery.control is None
        return Route(
            where=where,
            step=step,
            is_misdirected=is_direct and owner != here == delivery.origin,
            is_here=is_last and owner == here and not is_attended,
            is_blocked=is_last and is_attended and owner == delivery.origin,
        )


def _step(way: Way, where: Whereabouts) -> Step | None:
    return None if where.worker_id is None else next_step(way, where.worker_id, where)
