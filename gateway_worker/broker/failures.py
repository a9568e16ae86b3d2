"""The library's errors, told apart and turned into the worker's own."""

import asyncio
import re
import struct
from collections.abc import Awaitable
from typing import Any, TypeVar

from aio_pika.exceptions import (
    AuthenticationError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from gateway_worker.broker.underlay import ChannelAccessRefused
from gateway_worker.errors import ConfigurationError, DependencyError, GatewayError
from gateway_worker.outbox.ports import FullQueueError
from gateway_worker.runtime.os_errors import explain, is_of_this_machine
from gateway_worker.runtime.transport import is_of_transport

Answer = TypeVar("Answer")


class ReturnedError(DependencyError):
    """The broker gave a message back: no queue is bound for its key."""


class UnansweredError(DependencyError):
    """The broker has not answered a request in time; the channel may be stuck."""


RefusedError = FullQueueError

CALLER_ERRORS = (ValueError, TypeError, AssertionError, RecursionError, OverflowError, struct.error)
"""What the library raises for what it cannot encode; a repetition would fail for ever."""

_TOO_LARGE = re.compile(r"larger than (?:configured )?max size (\d+)")


def size_limit(error: BaseException) -> int | None:
    """Return the largest body that the broker takes, if that is what an error says."""
    found = _TOO_LARGE.search(str(error))
    return int(found[1]) if found else None


def is_of_caller(error: BaseException) -> bool:
    """Tell whether an error is our own mistake, and not the loop's word for a lost connection."""
    return isinstance(error, CALLER_ERRORS) and not is_of_transport(error)


def is_cancelled() -> bool:
    """Tell whether somebody asked the current task to stop.

    aiormq lets the futures of a dead connection fail with `CancelledError`. Taken for what it seems
    to be, that would end a task that nobody has cancelled.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def as_dependency_error(error: BaseException, what: str) -> GatewayError:
    """Return the error to raise when `what` failed because of the broker or the way to it."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, TimeoutError):
        return DependencyError(f"{what}: no answer in time")
    if isinstance(error, asyncio.CancelledError):
        return DependencyError(f"{what}: the connection was lost")
    if isinstance(error, OSError) and is_of_this_machine(error):
        return DependencyError(f"{what}: {explain(error)}")
    return DependencyError(f"{what}: {str(error) or type(error).__name__}")


def as_refusal(error: BaseException, what: str) -> ConfigurationError | None:
    """Return the error to raise when the broker will never do `what`, or None if it may."""
    if isinstance(error, ChannelPreconditionFailed):
        return ConfigurationError(
            f"{what}: it exists with other arguments, of another release or of other settings. "
            "Delete it when it is empty (rabbitmqctl delete_queue NAME; an exchange: from the "
            f"management page), or set another AMQP_PREFIX. The broker says: {error}"
        )
    if isinstance(error, ChannelAccessRefused):
        return ConfigurationError(
            f"{what}: the broker's user may not; deploy/rabbitmq/users.json has the rights. "
            f"The broker says: {error}"
        )
    return None


def is_missing(error: GatewayError) -> bool:
    """Tell whether a request failed because what it names does not exist."""
    return isinstance(error.__cause__, ChannelNotFoundEntity)


def as_rejected_login(error: BaseException, address: str) -> ConfigurationError | None:
    """Return the error to raise when the broker does not let us in, or None if it may later."""
    if isinstance(error, AuthenticationError | ProbableAuthenticationError):
        return ConfigurationError(f"RabbitMQ at {address} refuses the user or the password")
    # The library does not say why the broker closed the connection instead of opening it.
    if isinstance(error, InvalidFrameError) and "Connection.OpenOk" in str(error):
        return ConfigurationError(
            f"RabbitMQ at {address} refuses the virtual host: there is none of this name, it is "
            "closed to the user, or it has as many connections as it may"
        )
    return None


async def bounded(request: Awaitable[Answer], *, seconds: float | None, what: str) -> Answer:
    """Await one request to the broker, never longer than `seconds`; None: as its channel lives.

    The request has a task of its own that is left behind at the deadline: aiormq answers the
    cancellation of a request by queueing a frame, and waits for ever if the connection just died.

    Raises:
        UnansweredError: No answer in time.
        DependencyError: The connection or the channel is gone.
        ConfigurationError: The broker refuses for good.
    """
    task = asyncio.ensure_future(request)
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        _leave(task)
        raise
    if not task.done():
        _leave(task)
        raise UnansweredError(f"{what}: no answer within {seconds:g} s")
    try:
        return task.result()
    except (Exception, asyncio.CancelledError) as error:
        if is_of_caller(error):
            raise
        raise as_refusal(error, what) or as_dependency_error(error, what) from error


def _leave(task: "asyncio.Future[Any]") -> None:
    task.cancel()
    task.add_done_callback(_retrieve)


def _retrieve(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled():
        task.exception()
