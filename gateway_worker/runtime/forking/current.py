"""The fork server that runs: started when it is needed, and another one when it has died."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway_worker.errors import DependencyError
from gateway_worker.runtime.forking.client import ForkServer


class CurrentForkServer:
    """One fork server at a time.

    Args:
        start: Starts one; may raise `DependencyError`.
    """

    def __init__(self, start: Callable[[], Awaitable[ForkServer]]) -> None:
        self._start = start
        self._starting = asyncio.Lock()
        self._server: ForkServer | None = None
        self._open = True

    @property
    def latest(self) -> ForkServer | None:
        """The one that was started last; it may be gone."""
        return self._server

    async def running(self) -> ForkServer:
        """Return the one that runs; started if there is none.

        Raises:
            DependencyError: It does not start, or none is started any more.
        """
        async with self._starting:
            if not self._open:
                raise DependencyError("no processes are started any more")
            if self._server is None or not self._server.alive:
                if self._server is not None:
                    await self._server.close()
                self._server = await self._start()
            return self._server

    def refuse(self) -> None:
        """Give none to anybody from now on."""
        self._open = False

    async def close(self) -> None:
        """End it, with all that it has forked. Idempotent."""
        self.refuse()
        async with self._starting:  # one that is just being started is ended, too
            if self._server is not None:
                await self._server.close()
