"""A coroutine on an event loop in a thread of its own, as a service of the worker's loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

from gateway_worker.errors import GatewayError

_CLOSE_SECONDS: Final = 5.0


class LoopThread:
    """Starts the thread, stops it, and passes on what it fails with.

    Args:
        main: Called in the thread with an event that says when to return.
        name: Of the thread.
    """

    def __init__(
        self, *, main: Callable[[asyncio.Event], Coroutine[Any, Any, None]], name: str
    ) -> None:
        self._main = main
        self._name = name

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set.

        Raises:
            GatewayError: The coroutine returned too early, or does not return.
            Exception: What the coroutine failed with.
        """
        outer_loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = outer_loop.create_future()
        inner_loop, inner_stop = asyncio.SelectorEventLoop(), asyncio.Event()

        def in_thread() -> None:
            failure: BaseException | None = None
            try:
                with asyncio.Runner(loop_factory=lambda: inner_loop) as runner:
                    runner.run(self._main(inner_stop))
            except BaseException as error:  # noqa: BLE001 - raised on the outer loop
                failure = error
            with contextlib.suppress(RuntimeError):  # the outer loop has gone without waiting
                outer_loop.call_soon_threadsafe(_finish, ended, failure)

        thread = threading.Thread(target=in_thread, name=self._name, daemon=True)
        thread.start()
        stopping = asyncio.create_task(stop.wait(), name=f"{self._name}:stop")
        try:
            await asyncio.wait((stopping, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            with contextlib.suppress(RuntimeError):  # the inner loop is closed
                inner_loop.call_soon_threadsafe(inner_stop.set)
            await asyncio.wait((ended,), timeout=_CLOSE_SECONDS)
        if not ended.done():
            raise GatewayError(f"the thread {self._name} does not end")
        thread.join()  # it has nothing left to do
        ended.result()
        if not stop.is_set():
            raise GatewayError(f"the thread {self._name} ended too early")


def _finish(ended: "asyncio.Future[None]", failure: BaseException | None) -> None:
    if ended.done():
        return
    if failure is None:
        ended.set_result(None)
    else:
        ended.set_exception(failure)
