"""Commands that reached this worker although another one owns the session."""

from typing import Protocol

import structlog

from gateway_worker.commands.ports import Delivery, Settlement
from gateway_worker.errors import RetryableError

log = structlog.get_logger(__name__)


class CommandForwarder(Protocol):
    """Publishes a command to the worker that can execute it."""

    async def pass_on(self, delivery: Delivery, *, worker_id: str) -> None:
        """Publish to the worker's own key, with confirms. Raises `DependencyError`.

        The body, the id and the first queue that it was in go with it.
        """
        ...


class Forwarder:
    """Hands commands on, and acknowledges them once the broker has them again.

    Args:
        publisher: Publishes with confirms.
    """

    def __init__(self, *, publisher: CommandForwarder) -> None:
        self._publisher = publisher

    async def forward(self, delivery: Delivery, *, worker_id: str) -> bool:
        """Send a delivery on to `worker_id` and settle it.

        Returns False if the broker has not confirmed it: it has to be tried again before anything
        later of its session, which must not overtake it.
        """
        try:
            await self._publisher.pass_on(delivery, worker_id=worker_id)
        except RetryableError as error:
            log.warning("command.not_forwarded", worker=worker_id, reason=str(error))
            return False
        log.info("command.forwarded", worker=worker_id)
        await delivery.settle(Settlement.ACK)
        return True
