"""Deletes events that were published long ago; until then they can be replayed."""

import asyncio
import contextlib

import structlog

from gateway_worker.errors import RetryableError
from gateway_worker.outbox.ports import OutboxStore

log = structlog.get_logger(__name__)

_LIMIT = 1_000


class Pruner:
    """Prunes the outbox at an interval, in bites that do not disturb the relay.

    Args:
        store: The outbox table.
        keep_seconds: How long a published event is kept.
        interval_seconds: Time between two rounds.
    """

    def __init__(
        self, *, store: OutboxStore, keep_seconds: float, interval_seconds: float = 60.0
    ) -> None:
        self._store = store
        self._keep_seconds = keep_seconds
        self._interval_seconds = interval_seconds

    async def _prune(self) -> None:
        pruned = _LIMIT
        while pruned == _LIMIT:
            pruned = await self._store.prune(keep_seconds=self._keep_seconds, limit=_LIMIT)

    async def run(self, stop: asyncio.Event) -> None:
        """Prune until `stop` is set."""
        while not stop.is_set():
            try:
                await self._prune()
            except RetryableError as error:
                log.warning("outbox.not_pruned", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds):
                    await stop.wait()
