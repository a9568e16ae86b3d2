"""Tries again until it is done, as a backend does whose broker is away for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_ATTEMPT_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.5


async def until_done(
    attempt: Callable[[], Awaitable[None]], *, unless: tuple[type[Exception], ...] = ()
) -> None:
    """Try until it succeeds or raises one of `unless`; what was done may be repeated.

    The AMQP library cancels what waits on a connection that it gives up, so a cancellation that
    nobody has asked this task for is a failure as well.
    """
    while True:
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                return await attempt()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        except unless:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it has to be done
            log.debug("devkit.trying_again", reason=repr(error))
        await asyncio.sleep(_PAUSE_SECONDS)
