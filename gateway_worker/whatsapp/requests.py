"""The requests of one host that are not answered yet."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from gateway_worker.errors import (
    GatewayError,
    InvalidCommandError,
    UncertainError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.envelope import Cancel, Request, Response, ToHost
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.methods import Call, Result
from gateway_worker.host_protocol.methods.method import Effect, Method, R, WhenLate
from gateway_worker.runtime.bounds import shortest
from gateway_worker.whatsapp.errors import error_of

CANCEL_SECONDS: Final = 5.0
"""How long before its time is up a request is given up. In that time its host says that it had not
begun, or the library reconnects and learns what became of it."""


class HostGoneError(GatewayError):
    """The process ended before it had answered a request."""


class PendingRequests:
    """Sends requests and waits for their answers.

    Args:
        send: Sends a frame to the host. Raises `WireError` if it cannot be written.
        timeout_seconds: For methods that have no time of their own.

    Attributes:
        has_ended_host: Whether a method has succeeded after which the host leaves.
    """

    def __init__(self, *, send: Callable[[ToHost], None], timeout_seconds: float) -> None:
        self._send = send
        self._timeout_seconds = timeout_seconds
        self._futures: dict[int, asyncio.Future[Result]] = {}
        self._ending: set[int] = set()
        self._numbers = 0
        self.has_ended_host = False

    async def call(
        self, call: Method[R], command_id: str | None, seconds: float | None = None
    ) -> Result:
        """Call a method and return its answer.

        Args:
            call: The method and its parameters.
            command_id: The command that it is for.
            seconds: How long the answer may take, if that is less than what the method may take.

        Raises:
            HostGoneError: The host has gone meanwhile.
            InvalidCommandError: The call cannot be written.
            GatewayError: As the host says, or that it said nothing in time.
        """
        self._numbers += 1
        number = self._numbers
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._futures[number] = future
        if call.ends_host:
            self._ending.add(number)
        seconds = shortest(call.timeout_seconds or self._timeout_seconds, seconds)
        reserve = min(CANCEL_SECONDS, seconds / 2)
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []

        def give_up() -> None:
            timers.append(loop.call_later(reserve, _fail, future, call))
            self._send(Cancel(request=number))

        timers.append(loop.call_later(seconds - reserve, give_up))
        try:
            self._send(Request(request=number, call=cast("Call", call), command_id=command_id))
            return await future
        except asyncio.CancelledError:
            if call.when_late is WhenLate.LEAVE:  # those after it must not wait for nobody's answer
                self._send(Cancel(request=number))
            raise
        except WireError as error:
            raise InvalidCommandError(
                "the message cannot be sent as it is", pointer="/data/content"
            ) from error
        finally:
            for timer in timers:
                timer.cancel()
            self._futures.pop(number, None)

    def on_response(self, response: Response) -> None:
        """Take an answer; one that comes too late is nobody's."""
        failure, result = response.failure, response.result
        if failure is None and result is not None and response.request in self._ending:
            self.has_ended_host = True
        future = self._futures.get(response.request)
        if future is None or future.done():
            return
        if failure is not None:
            future.set_exception(error_of(failure))
        elif result is not None:
            future.set_result(result)
        else:
            future.set_exception(UncertainError("the session's process gave an empty answer"))

    def host_gone(self) -> None:
        """Let every request know that there will be no answer."""
        for future in self._futures.values():
            if not future.done():
                future.set_exception(HostGoneError("the session's process ended meanwhile"))


def _fail(future: "asyncio.Future[Result]", call: Method[R]) -> None:
    if not future.done():
        future.set_exception(_late(call))


def _late(call: Method[R]) -> GatewayError:
    if call.effect is Effect.ONCE:
        return UncertainError("no acknowledgement came in time")
    return UpstreamTimeoutError("WhatsApp did not answer in time")
