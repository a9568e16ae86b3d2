"""Commands that reached this worker although another one owns the session."""

import asyncio
from typing import Protocol

import structlog

from gateway_contracts import Command
from gateway_worker.commands.ports import Delivery, Refusal, Settlement
from gateway_worker.errors import RetryableError

log = structlog.get_logger(__name__)


class CommandForwarder(Protocol):
    """Publishes a command to the worker that can execute it."""

    async def forward(self, body: bytes, *, message_id: str, worker_id: str) -> None:
        """Publish to the worker's own key, with confirms. Raises `DependencyError`."""
        ...


class Forwarder:
    """Hands commands on, and acknowledges them once the broker has them again.

    Args:
        publisher: Publishes with confirms.
        pause_seconds: How long to wait after a failure before the command is given back.
    """

    def __init__(self, *, publisher: CommandForwarder, pause_seconds: float = 1.0) -> None:
        self._publisher = publisher
        self._pause_seconds = pause_seconds

    async def forward(self, delivery: Delivery, command: Command, worker_id: str) -> None:
        """Send a command on to `worker_id`; it stays with the broker whatever happens."""
        try:
            await self._publisher.forward(delivery.body, message_id=command.id, worker_id=worker_id)
        except RetryableError as error:
            log.warning("command.not_forwarded", worker=worker_id, reason=str(error))
            await asyncio.sleep(self._pause_seconds)
            await delivery.settle(Settlement.REQUEUE, Refusal(code="internal", reason=str(error)))
            return
        log.info("command.forwarded", worker=worker_id)
        await delivery.settle(Settlement.ACK)
