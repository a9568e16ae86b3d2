"""A file that is being fetched: how often it was tried, and who waits for it."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from gateway_contracts import Media
from gateway_worker.errors import DependencyError, GatewayError, RetryableError
from gateway_worker.runtime.retry import Backoff

_INITIAL_SECONDS: Final = 1.0
_MAXIMUM_SECONDS: Final = 60.0


@dataclass(eq=False, slots=True, kw_only=True)
class Job:
    """A file on its way.

    Attributes:
        session_id: Whose it is.
        media_id: Its id.
        began: When it was tried first, by the monotonic clock; None before that.
        waiters: Who waits for its end, or for the end of this attempt.
        timer: Brings it back into the queue.
        was_damaged: Whether what came was once not what its sender has uploaded.
    """

    session_id: str
    media_id: str
    began: float | None = None
    waiters: set["asyncio.Future[Media]"] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None
    was_damaged: bool = False
    backoff: Backoff = field(
        default_factory=lambda: Backoff(
            initial_seconds=_INITIAL_SECONDS, maximum_seconds=_MAXIMUM_SECONDS
        )
    )

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.session_id, self.media_id

    def succeed(self, media: Media) -> None:
        """Let those who wait have it."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(media)
        self.waiters.clear()

    def fail(self, error: GatewayError) -> None:
        """Let those who wait know why they do not get it now."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(error)
        self.waiters.clear()

    def stop_waiting(self) -> None:
        """Take back the timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def pause_seconds(self, error: RetryableError) -> float:
        """Return how long it waits after an attempt that has failed so."""
        return max(self.backoff.next_seconds(), error.retry_after_seconds or 0.0)

    def is_over(self, pause: float, *, now: float, patience_seconds: float) -> bool:
        """Whether the next attempt would come too late."""
        return self.began is not None and now + pause - self.began > patience_seconds


def is_ours(error: RetryableError) -> bool:
    """Whether the worker's own services cannot be used, which says nothing of the file."""
    return isinstance(error, DependencyError)
