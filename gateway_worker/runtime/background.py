"""Side work that neither blocks its caller nor gets lost: in order per key, logged if it fails."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway_worker.runtime.mailbox import Mailboxes

Job = Callable[[], Awaitable[None]]


class Background:
    """Runs jobs that nobody waits for, one after the other per key."""

    def __init__(self, *, name: str) -> None:
        self._mailboxes: Mailboxes[Job] = Mailboxes(handle=self._run, name=name)

    def post(self, key: str, job: Job) -> None:
        """Queue a job. Never blocks; a failing job is logged and the next one follows."""
        self._mailboxes.post(key, job)

    async def run(self, key: str, job: Job) -> None:
        """Run a job after those of its key and wait for it. Errors are logged, not raised."""
        done = asyncio.Event()

        async def and_tell() -> None:
            try:
                await job()
            finally:
                done.set()

        self.post(key, and_tell)
        await done.wait()

    async def join(self) -> None:
        """Return when every job is done; if that is cancelled, so are the jobs that are left."""
        try:
            await self._mailboxes.join()
        finally:
            await self._mailboxes.cancel()

    async def cancel(self) -> None:
        """Drop what waits and cancel what runs."""
        await self._mailboxes.cancel()

    @staticmethod
    async def _run(_key: str, job: Job) -> None:
        await job()
