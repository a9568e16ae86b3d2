"""A command that comes out of the database, as if the broker had brought it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway_worker.commands.ports import Deferred, Delivery, Refusal, Settlement
from gateway_worker.tenants.grants import EVERYTHING, Grant

LONGEST_POSTPONED: Final = 60.0
"""After so many seconds one that its session's pacing holds back asks again: that may have been set
otherwise meanwhile."""


class DeferredDelivery(Delivery):
    """A row that is fed to the scheduler (the dispatcher's `Delivery`).

    Args:
        deferred: What it is.
        body: The command, as far as it is there in one piece.
        worker_id: This worker.
        on_settled: Called once, with whether it has its end; otherwise it is to be fed again, by
            whoever has its session.
    """

    def __init__(
        self,
        *,
        deferred: Deferred,
        body: bytes = b"",
        worker_id: str,
        on_settled: Callable[["DeferredDelivery", bool], None],
    ) -> None:
        self._deferred = deferred
        self._body = body
        self._worker_id = worker_id
        self._on_settled = on_settled
        self._is_settled = False

    @property
    def deferred(self) -> Deferred:
        """What it is."""
        return self._deferred

    @property
    def grant(self) -> Grant:
        """It was verified when it came."""
        return EVERYTHING

    @property
    def session_id(self) -> str:
        """Whose it is."""
        return self._deferred.command.subject

    @property
    def body(self) -> bytes:
        """The command as it came, if it did."""
        return self._body

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return len(self._body)

    @property
    def unassigned(self) -> bool:
        """Never: its session has an owner."""
        return False

    @property
    def redelivered(self) -> bool:
        """Whether it was fed before is for the inbox to know."""
        return False

    @property
    def origin(self) -> str:
        """This worker."""
        return self._worker_id

    @property
    def came_from(self) -> None:
        """Nobody has forwarded it."""

    @property
    def stage(self) -> None:
        """It was in no queue."""

    @property
    def hop(self) -> None:
        """Nobody has forwarded it."""

    @property
    def hops(self) -> int:
        """Nobody has forwarded it."""
        return 0

    @property
    def control(self) -> None:
        """It is a command."""

    @property
    def routing_key(self) -> str:
        """Its session."""
        return self.session_id

    @property
    def first_routing_key(self) -> str:
        """Its session: if it was published otherwise, that was told when it came."""
        return self.session_id

    @property
    def attempts_before(self) -> int:
        """It waits in no tier."""
        return 0

    @property
    def message_id(self) -> str:
        """The command's id."""
        return self._deferred.command.id

    @property
    def traceparent(self) -> None:
        """None: the command has its own, if it has one."""

    @property
    def message_type(self) -> str:
        """The command's type."""
        return self._deferred.command.type

    @property
    def headers(self) -> Mapping[str, Any]:
        """None."""
        return {}

    @property
    def excess(self) -> None:
        """Always None: it waits in the database."""

    @property
    def is_settled(self) -> bool:
        """Whether it is over, here at least."""
        return self._is_settled

    async def settle(self, settlement: Settlement, refusal: Refusal | None = None) -> None:  # noqa: ARG002 - the port's: what is in the database needs no dead letter
        """Note that it has its end, or that it is left for later."""
        if not self._is_settled:
            self._is_settled = True
            self._on_settled(self, settlement is not Settlement.REQUEUE)
