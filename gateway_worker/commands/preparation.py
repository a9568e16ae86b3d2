"""What a command needs before it can be executed and what takes long to have, such as an upload.

It is brought about aside: the command keeps its place, is not `executing`, and others of its
session run meanwhile. A worker that dies then leaves nothing uncertain: the next one begins anew.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from gateway_worker.sessions.session.session import Session


class Preparation(Protocol):
    """What one command needs; it is asked again where a command is tried again."""

    @property
    def is_ready(self) -> bool:
        """Whether there is nothing left to do."""
        ...

    async def run(self, session: Session) -> None:
        """Get ready. After an error, or after it was cancelled, it may be called again.

        Raises:
            GatewayError: As it says; nothing has had an effect that others see.
        """
        ...

    async def close(self) -> None:
        """Remove what it has on this machine. Never raises; idempotent."""
        ...


@dataclass(slots=True, kw_only=True)
class Preparing:
    """The preparation of one command, over all of its attempts.

    Attributes:
        preparation: What it needs; None if nothing.
        failure: What the last run of it has failed with, until somebody is told.
    """

    preparation: Preparation | None = None
    failure: Exception | None = field(default=None)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for.

        Raises:
            GatewayError: What it needs is not to be had; told once, then it is tried again.
            Exception: A fault of ours, likewise.
        """
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return self.is_ready

    @property
    def is_ready(self) -> bool:
        """Whether the command can be executed."""
        return self.preparation is None or self.preparation.is_ready

    async def run(self, session: Session) -> None:
        """Get ready, unless the session leaves this worker meanwhile. Keeps what it fails with."""
        assert self.preparation is not None
        work = asyncio.ensure_future(self.preparation.run(session))
        leaving = asyncio.ensure_future(session.until_left())
        try:
            await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, leaving):
                task.cancel()
            await asyncio.wait((work, leaving))
        if not work.cancelled():
            error = work.exception()
            assert error is None or isinstance(error, Exception)
            self.failure = error

    async def close(self) -> None:
        """Remove what it has on this machine."""
        if self.preparation is not None:
            await self.preparation.close()
