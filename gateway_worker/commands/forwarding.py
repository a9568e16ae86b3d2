"""Commands and markers that reached this worker on their way to the owner of their session."""

from typing import Protocol

import structlog

from gateway_worker.commands.handover_path import Step
from gateway_worker.commands.ports import Delivery, Settlement
from gateway_worker.errors import RetryableError

log = structlog.get_logger(__name__)


class CommandForwarder(Protocol):
    """Publishes a delivery to the worker that it belongs to next."""

    async def pass_on(
        self, delivery: Delivery, *, worker_id: str, stage: int | None, hop: int
    ) -> None:
        """Publish to the worker's own key, with confirms. Raises `DependencyError`.

        The body, the id and the first queue that it was in go with it; the rest is
        explained in `handover_path`.
        """
        ...


class Forwarder:
    """Hands commands on, and acknowledges them once the broker has them again.

    Args:
        publisher: Publishes with confirms.
    """

    def __init__(self, *, publisher: CommandForwarder) -> None:
        self._publisher = publisher

    async def forward(self, delivery: Delivery, step: Step) -> bool:
        """Send a delivery on and settle it.

        Returns False if the broker has not confirmed it: it has to be tried again before anything
        later of its session, which must not overtake it.
        """
        try:
            await self._publisher.pass_on(
                delivery, worker_id=step.worker_id, stage=step.stage, hop=step.hop
            )
        except RetryableError as error:
            log.warning("command.not_forwarded", worker=step.worker_id, reason=str(error))
            return False
        log.info("command.forwarded", worker=step.worker_id)
        await delivery.settle(Settlement.ACK)
        return True
