"""Several workers of one fleet, with one backend and one sandbox."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    SessionQr,
    SessionState,
    SessionStatus,
)
from gateway_worker.devkit.harness import Reroute, straight
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.harness import Gateway, open_gateway

LEASE_SECONDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet(Gateway):
    """A gateway of several workers."""

    async def until_at(
        self, session_id: str, worker_id: str, *, after: int = 0, seconds: float = 40
    ) -> SessionStatus:
        """Wait for a session to be connected at a worker."""
        return await self.backend.expect(
            SessionStatus,
            session_id,
            lambda event: (
                event.data.state is SessionState.CONNECTED and event.data.worker == worker_id
            ),
            after=after,
            seconds=seconds,
        )

    def home(self, session_id: str) -> str:
        """Return the worker at which a session was last."""
        last = [
            event.data.worker
            for event in self.backend.events_of(session_id)
            if isinstance(event, SessionStatus)
        ]
        return last[-1]

    def other(self, worker_id: str) -> str:
        """Return another worker of the fleet."""
        return next(name for name in self.workers if name != worker_id)

    def assert_whole(self, session_id: str, *, after: int = 0) -> None:
        """Assert that the session's events came in order without a gap, and no QR code since."""
        events = [
            event for event in self.backend.events_of(session_id) if event.sequence is not None
        ]
        numbers = [int(event.sequence or 0) for event in events]
        assert numbers == list(range(1, len(numbers) + 1)), numbers
        late = [one.event for one in self.backend.arrivals[after:]]
        assert not [
            event for event in late if isinstance(event, SessionQr) and event.subject == session_id
        ]

    def outcomes(self, command_id: str) -> list[CommandSucceeded | CommandFailed]:
        """Return the outcomes of a command; a repeated announcement is not another one."""
        return [
            one.event
            for one in self.backend.arrivals
            if isinstance(one.event, CommandSucceeded | CommandFailed)
            and one.event.correlationid == command_id
            and not one.event.data.repeated
        ]


@asynccontextmanager
async def open_fleet(
    sandbox: Sandbox,
    environment: Mapping[str, str],
    directory: Path,
    names: Sequence[str],
    more: Mapping[str, str] | None = None,
    *,
    reroute: Reroute = straight,
) -> AsyncIterator[Fleet]:
    """Start several workers on the same settings, all at once."""
    settings = {**environment, "LEASE_SECONDS": str(LEASE_SECONDS), **(more or {})}
    async with open_gateway(
        sandbox, settings, directory, workers=names, durable=True, reroute=reroute
    ) as gateway:
        yield Fleet(
            workers=gateway.workers,
            backend=gateway.backend,
            sandbox=sandbox,
            environment=gateway.environment,
        )
