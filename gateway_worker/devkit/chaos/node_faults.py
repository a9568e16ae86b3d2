"""Faults of single nodes, where broker and database have others that go on."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any

from gateway_worker.devkit.chaos.journal import Journal
from gateway_worker.devkit.chaos.plan import Injection
from gateway_worker.devkit.services.postgres_pair import PostgresPair
from gateway_worker.devkit.services.rabbitmq_cluster import SIZE, RabbitMqCluster

Fault = Callable[["NodeFaults", Injection], Coroutine[Any, Any, None]]


def _alone(fault: Fault) -> Fault:
    """Have a fault wait until the one before is over: two nodes at once are too many."""

    @wraps(fault)
    async def in_turn(faults: "NodeFaults", injection: Injection) -> None:
        async with faults.turns:
            await fault(faults, injection)

    return in_turn


class NodeFaults:
    """What can happen to the nodes of services that have several.

    Args:
        broker: The cluster.
        database: The primary and its standby.
        sessions: All there are.
        cut_off: Is told since when the workers were without a database.
        journal: Is told what is done.
    """

    def __init__(
        self,
        *,
        broker: RabbitMqCluster,
        database: PostgresPair,
        sessions: Sequence[str],
        cut_off: Callable[[float], None],
        journal: Journal,
    ) -> None:
        self._broker = broker
        self._database = database
        self._sessions = sessions
        self._cut_off = cut_off
        self._journal = journal
        self.turns = asyncio.Lock()

    @_alone
    async def node_kill(self, injection: Injection) -> None:
        """Kill one node of the broker and start it again."""
        place = self._struck(injection)
        await self._broker.nodes[place].kill()
        await self._back(injection, place)

    @_alone
    async def node_restart(self, injection: Injection) -> None:
        """Stop one node of the broker in good order and start it again."""
        place = self._struck(injection)
        await self._broker.nodes[place].stop()
        await self._back(injection, place)

    @_alone
    async def node_isolated(self, injection: Injection) -> None:
        """Cut one node of the broker off from the others; its clients still reach it."""
        place = self._struck(injection)
        await self._broker.isolate(place)
        try:
            await asyncio.sleep(injection.seconds)
        finally:
            await self._broker.rejoin(place)
        self._journal.injected(injection, node=place, seconds=injection.seconds)

    @_alone
    async def node_frozen(self, injection: Injection) -> None:
        """Freeze one node of the broker, for the others and for its clients.

        Until it is started anew it may know other bindings than they do.
        """
        place, at = self._struck(injection), time.time()
        await self._broker.nodes[place].pause()
        try:
            await asyncio.sleep(injection.seconds)
        finally:
            await self._broker.nodes[place].resume()
        await self._broker.nodes[place].ready()
        apart = await self._broker.heal(place)
        if apart:
            self._journal.rerouted(self._sessions, at=at)
        self._journal.injected(injection, node=place, seconds=injection.seconds, apart=apart)

    @_alone
    async def primary_kill(self, injection: Injection) -> None:
        """Kill the primary, promote the standby, and make the former primary its standby."""
        at = time.time()
        self._journal.struck(injection.kind, at)
        await self._database.primary.kill()
        await asyncio.sleep(injection.seconds)  # until somebody has noticed
        await self._database.promote()
        self._cut_off(at)
        self._journal.injected(injection, seconds=round(time.time() - at, 2))
        await self._database.attach()

    @_alone
    async def standby_kill(self, injection: Injection) -> None:
        """Kill the standby; the primary waits for it until it is told not to."""
        at = time.time()
        self._journal.struck(injection.kind, at)
        await self._database.standby.kill()
        await asyncio.sleep(injection.seconds)
        await self._database.leave_alone()
        self._cut_off(at)
        self._journal.injected(injection, seconds=round(time.time() - at, 2))
        await self._database.attach()

    def _struck(self, injection: Injection) -> int:
        """Note the moment; return which node it is about."""
        self._journal.struck(injection.kind, time.time())
        return int(injection.dice * SIZE)

    async def _back(self, injection: Injection, place: int) -> None:
        await asyncio.sleep(injection.seconds)
        await self._broker.nodes[place].start()
        self._journal.injected(injection, node=place, seconds=injection.seconds)
