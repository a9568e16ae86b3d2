"""Observers never end what they observe: one that fails is logged and begins anew."""

import asyncio
import contextlib
from typing import Final

import structlog

from gateway_worker.runtime.service import Service

log = structlog.get_logger(__name__)

PAUSE_SECONDS: Final = 5.0


class Observer:
    """Runs a service that only looks at or tells of others.

    Args:
        service: What to run; may be run again after a failure.
        pause_seconds: How long it rests then.
    """

    def __init__(self, service: Service, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._service = service
        self._pause_seconds = pause_seconds

    @property
    def name(self) -> str:
        """The name of the service."""
        return type(self._service).__name__

    async def run(self, stop: asyncio.Event) -> None:
        """Run it until `stop` is set, whatever becomes of it."""
        while not stop.is_set():
            try:
                await self._service.run(stop)
            except Exception:
                log.exception("observer.failed", service=self.name)
            if stop.is_set():
                return
            log.warning("observer.begins_anew", service=self.name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_seconds):
                    await stop.wait()
