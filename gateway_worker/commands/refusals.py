"""What is no command: told to its sender as far as that may be, and kept among the dead letters."""

import structlog

from gateway_contracts import (
    NO_SESSION,
    CommandRejectedError,
    is_event_type,
    readable_id,
    session_id_in,
)
from gateway_worker.commands.ends import CommandEnds
from gateway_worker.commands.outcomes import Outcomes
from gateway_worker.commands.ports import Delivery, Settlement
from gateway_worker.commands.unauthorized import UnauthorizedError, subject_for
from gateway_worker.runtime.rate_limit import RateLimiter, TokenBucket
from gateway_worker.sessions.ownership.manager import SessionManager

log = structlog.get_logger(__name__)

REFUSALS_PER_SECOND = 20.0
"""How many refusals one `source` is told in the long run; of all sources, five times as many.

A tenant that was verified has as many for itself: whatever others send, its refusals are told."""
REFUSALS_AT_ONCE = 200.0


class Refusals:
    """Refuses what cannot be read as a command.

    Args:
        worker_id: This worker.
        manager: Its sessions.
        ends: Announces refusals, and settles what is refused.

    Attributes:
        events_ignored: How many events came in as if they were commands.
        untold: How many refusals were not told, because there were too many.
    """

    def __init__(self, *, worker_id: str, manager: SessionManager, ends: CommandEnds) -> None:
        self._manager = manager
        self._ends = ends
        self._outcomes = Outcomes(worker_id=worker_id)
        self._sources = RateLimiter(each=_bucket, together=_bucket(5.0))
        self._tenants = RateLimiter(each=_bucket)
        self.events_ignored = 0
        self.untold = 0

    async def refuse(
        self, delivery: Delivery, rejected: CommandRejectedError, *, arrived: float
    ) -> None:
        """Tell the sender if that may be, and put the body to the dead letters.

        An event that has come back is neither answered nor kept: its answer would come back too.
        """
        if rejected.is_event or is_event_type(delivery.message_type or ""):
            self.events_ignored += 1
            log.warning("command.is_an_event", event_type=_known_type(rejected))
            await delivery.settle(Settlement.ACK)
            return
        error, (command_id, session_id) = rejected.error, _sender_of(delivery, rejected)
        session_id = subject_for(delivery.grant, session_id)
        log.warning(
            "command.refused",
            tenant=delivery.grant.tenant,
            command_id=command_id,
            session_id=session_id,
            error_code=error.code,
            pointers=[fault.pointer for fault in error.errors],
        )
        refusal = None
        # A worker sends no commands: what says so is an event in disguise.
        is_workers = rejected.is_workers
        if command_id is not None and not is_workers and self._may_tell(delivery, rejected):
            refusal = self._outcomes.refusal(
                rejected,
                command_id=command_id,
                session_id=session_id,
                epoch=self._manager.registry.epoch_of(session_id),
                command_type=readable_id(delivery.message_type),
            )
        kind = rejected.command_type or "unreadable"
        # Who may not give commands would fill up the dead letters of everybody else.
        is_kept = not isinstance(rejected, UnauthorizedError)
        await self._ends.end_unexecuted(
            delivery,
            kind,
            refusal,
            error,
            arrived=arrived,
            settlement=Settlement.DEAD if is_kept else Settlement.ACK,
        )

    def _may_tell(self, delivery: Delivery, rejected: CommandRejectedError) -> bool:
        """Whether a refusal may be told: whoever sends rubbish gets so many answers and no more."""
        tenant = delivery.grant.tenant
        limiter = self._sources if tenant is None else self._tenants
        if limiter.take(tenant or rejected.source or ""):
            return True
        self.untold += 1
        log.warning("command.refusal_not_told", command_id=rejected.command_id)
        return False


def _bucket(times: float = 1.0) -> TokenBucket:
    return TokenBucket(per_second=REFUSALS_PER_SECOND * times, at_once=REFUSALS_AT_ONCE * times)


def _known_type(rejected: CommandRejectedError) -> str | None:
    """Return the type of an event that this version knows; another text is the sender's."""
    known = rejected.command_type is not None and is_event_type(rejected.command_type)
    return rejected.command_type if known else None


def _sender_of(delivery: Delivery, rejected: CommandRejectedError) -> tuple[str | None, str]:
    """Return the id of what is no command, and the session that it was for, as far as they are.

    What the body does not say the properties may: the message id and the routing key.
    """
    command_id = rejected.command_id or readable_id(delivery.message_id)
    session_id = rejected.session_id
    if session_id is None and not rejected.has_subject:
        session_id = session_id_in(delivery.first_routing_key)
    return command_id, session_id or NO_SESSION
