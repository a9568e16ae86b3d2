"""Watches the queues that others are to empty: the backends' queues, and what nobody has taken.

AMQP lists neither queues nor bindings. Known are the backends that the settings name, and those
whose commands say where they come from. When a queue refuses an event the broker does not say
which; then those that hold messages are named, the fullest first.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from gateway_contracts import BackendTopology, Topology
from gateway_contracts.backend import EVENTS_KEPT
from gateway_worker.broker.failures import is_missing
from gateway_worker.broker.topology import Declarer, QueueState
from gateway_worker.errors import DependencyError

log = structlog.get_logger(__name__)

NEARLY_FULL = int(EVENTS_KEPT * 0.8)
LEARNT = 64
"""So many backends are learnt from their commands at most."""
REFUSAL_COUNTS_SECONDS = 60.0
_BACKEND = re.compile(r"/backends/([A-Za-z0-9][A-Za-z0-9_-]{0,63})")


class Backlogs:
    """The depths of queues, and what is alarming about them.

    Args:
        declarer: Asks the broker.
        topology: The names.
        backends: The services whose queues are watched from the start.
        on_doubt: Called when a queue that may have lost its leader is found while some queue
            refuses events.
    """

    def __init__(
        self,
        *,
        declarer: Declarer,
        topology: Topology,
        backends: Sequence[str] = (),
        on_doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_doubt = on_doubt
        self._declarer = declarer
        self._topology = topology
        self._named = frozenset(backends)
        self._learnt: set[str] = set()
        self._states: dict[str, QueueState] = {}
        self._dead: dict[str, int] = {}
        self._refused_at: float | None = None
        self._problems: tuple[str, ...] = ()

    @property
    def depths(self) -> Mapping[str, int]:
        """Messages that waited in each queue when it was last looked at."""
        return {name: state.messages for name, state in self._states.items()}

    @property
    def problems(self) -> tuple[str, ...]:
        """What is alarming now, in words."""
        return self._problems

    def learn(self, source: str | None) -> None:
        """Take note of the backend that a command says it is from."""
        found = _BACKEND.fullmatch(source or "")
        if found and len(self._learnt) < LEARNT:
            self._learnt.add(found[1])

    def note_refusal(self) -> None:
        """Note that some queue has refused an event."""
        self._refused_at = time.monotonic()

    async def look(self) -> None:
        """Ask for the depths once, and say what is alarming. Never raises."""
        try:
            await self._ask()
        except DependencyError as error:
            log.warning("broker.backlogs_not_asked", reason=error.detail)
            return
        self._problems = tuple(self._find())
        for problem in self._problems:
            log.error("broker.backlog", problem=problem)

    async def _ask(self) -> None:
        states: dict[str, QueueState] = {}
        for name in (self._topology.dead_commands, self._topology.events_unrouted):
            await self._ask_for(name, states)
        for service in sorted(self._named | self._learnt):
            own = BackendTopology(service=service, topology=self._topology)
            if await self._ask_for(own.events_queue().name, states):
                await self._ask_for(own.dead, states)
            else:
                self._learnt.discard(service)
        before, self._states = self._states, states
        doubtful = [name for name, state in states.items() if _is_doubtful(before.get(name), state)]
        if doubtful and self._is_refused:
            log.warning("broker.leader_doubted", queues=doubtful)
            self._on_doubt()

    async def _ask_for(self, name: str, states: dict[str, QueueState]) -> bool:
        try:
            states[name] = await self._declarer.inspect(name)
        except DependencyError as error:
            if not is_missing(error):
                raise
            return False
        return True

    def _find(self) -> list[str]:
        problems = [self._refusal()] if self._is_refused else []
        for name, state in self._states.items():
            is_events = name.endswith(".events")
            if is_events and state.messages >= NEARLY_FULL:
                problems.append(f"{name} is nearly full: {_told(state)}")
            if name.endswith((".dead", ".unrouted")):
                grown = state.messages - self._dead.get(name, state.messages)
                self._dead[name] = state.messages
                if grown > 0:
                    problems.append(f"{name} grows: {_told(state)}, {grown} more than before")
        return problems

    @property
    def _is_refused(self) -> bool:
        refused_at = self._refused_at
        return refused_at is not None and time.monotonic() - refused_at < REFUSAL_COUNTS_SECONDS

    def _refusal(self) -> str:
        waiting = sorted(
            (
                (state.messages, name)
                for name, state in self._states.items()
                if name.endswith(".events") and state.messages
            ),
            reverse=True,
        )
        if not waiting:
            return (
                f"a queue bound to {self._topology.events} is full and refuses events; none of the "
                "known backends' queues holds any (rabbitmqctl list_bindings names the others)"
            )
        named = ", ".join(f"{name} ({_told(self._states[name])})" for _, name in waiting[:5])
        return f"a queue bound to {self._topology.events} is full and refuses events: {named}"


def _is_doubtful(before: QueueState | None, now: QueueState) -> bool:
    """Whether a backend's queue had something, and has nothing at all any more.

    So the broker says of a queue that has no leader whom it could ask.
    """
    had_something = before is not None and bool(before.messages or before.consumers)
    return had_something and not (now.messages or now.consumers)


def _told(state: QueueState) -> str:
    return f"{state.messages} messages, {state.consumers} consumers"
