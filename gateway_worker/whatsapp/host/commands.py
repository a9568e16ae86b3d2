"""The worker's requests, one after the other on a thread of their own.

The loop goes on meanwhile, so stopping and acknowledging do not wait for a send. The library does:
it sends nothing while it waits for an acknowledgement, for 75 seconds, and has no way to give up.
What it does have is a rule for a lost connection: it reconnects and sends the same message again
under the same id, and so learns what became of it. So when the worker gives up on a request that
runs, its connection is cut. A message that has not been handed over by then never is.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Final

from gateway_worker.whatsapp.convert.failures import query_failure
from gateway_worker.whatsapp.host.native import Library
from gateway_worker.whatsapp.host.sending import GIVEN_UP, Sender
from gateway_worker.whatsapp.ipc.frames import (
    AskChats,
    Done,
    Failed,
    Failure,
    FromHost,
    Logout,
    PairCode,
    PairingFailed,
    SendText,
)

PAIR_CODE_SECONDS: Final = 160.0
"""How long the library waits for the phone, counted from the first QR code."""
NEXT_CUT_SECONDS: Final = 3.0
"""Until the connection is cut once more; after the second time the library stops trying."""
RECONNECT_SECONDS: Final = 5.0
"""How long the next request waits for the connection that was cut."""
PAIRING: Final = -1
"""The request for a pairing code, which no worker has numbered."""


class Commands:
    """Runs requests in order; the thread starts with the first one.

    Args:
        library: The client.
        sender: Sends messages with it.
        send: Sends a frame to the worker; safe from every thread.
        unlinked: Called after the device was unlinked.
        cut: Cuts the library's connection, which it then makes anew.
    """

    def __init__(
        self,
        *,
        library: Library,
        sender: Sender,
        send: Callable[[FromHost], None],
        unlinked: Callable[[], None],
        cut: Callable[[], object],
    ) -> None:
        self._library = library
        self._sender = sender
        self._send = send
        self._unlinked = unlinked
        self._cut = cut
        self._running: int | None = None
        self._is_closed = False
        self._idle = threading.Event()
        self._is_up = False
        self._up_again = threading.Event()
        self._up_again.set()
        self._jobs: SimpleQueue[tuple[int, Callable[[], None]]] = SimpleQueue()
        self._waiting: set[int] = set()
        self._thread: threading.Thread | None = None

    def send_text(self, request: SendText) -> None:
        """Queue a send; one that comes after `close` is answered as not begun."""
        if self._is_closed:
            self._refuse(request.request)
            return
        self._queue(request.request, lambda: self._send(self._sender.send(request)))

    def ask_chats(self, request: AskChats) -> None:
        """Queue the question for the ids of a chat."""
        self._queue(request.request, lambda: self._send(self._sender.chats(request)))

    def logout(self, request: Logout) -> None:
        """Queue the unlinking of the device."""
        self._queue(request.request, lambda: self._logout(request))

    def pair(self, number: str) -> None:
        """Queue the request for a code."""
        self._queue(PAIRING, lambda: self._pair(number))

    def cancel(self, request: int) -> None:
        """Answer a request that has not begun, and never begin it; end one that runs."""
        if self._take(request):
            self._refuse(request)
        elif self._running == request:
            if self._sender.give_up(request):
                self._send(GIVEN_UP.frame(request))
            threading.Thread(
                target=self._end, args=(request,), name=f"end-{request}", daemon=True
            ).start()

    @property
    def is_running(self) -> bool:
        """Whether the library has a request that it has not answered."""
        return self._running is not None

    @property
    def is_idle(self) -> bool:
        """Whether no request runs or waits."""
        # In this order: a request is not taken from those that wait before it is known to run.
        return not self._waiting and not self.is_running

    def close(self) -> None:
        """Begin nothing more, and answer what waits as not begun; what runs goes on.

        A library that leaves its connection may hold a message for longer than this process lives,
        and nobody would know what became of it. One whose recipient is still being looked up has
        not been given to it, and never is.
        """
        self._is_closed = True
        running = self._running
        if running is not None and self._sender.give_up(running):
            self._refuse(running)
        for request in tuple(self._waiting):
            if self._take(request):
                self._refuse(request)

    def abandon(self) -> None:
        """Begin nothing more, and answer nobody: the worker is gone. What runs goes on."""
        self._is_closed = True
        if self._running is not None:
            self._sender.give_up(self._running)
        self._waiting.clear()

    def finish(self, seconds: float) -> None:
        """Wait for the end of the request that runs, at most that long."""
        deadline = time.monotonic() + seconds
        while self._running is not None and (left := deadline - time.monotonic()) > 0:
            self._idle.wait(min(left, 0.1))

    def connected(self) -> None:
        """Take the word that the library has connected."""
        self._is_up = True
        self._up_again.set()

    def disconnected(self) -> None:
        """Take the word that the library has lost its connection."""
        self._is_up = False

    def _end(self, request: int) -> None:
        while self._running == request:
            # Cut while it is being made, a connection occupies the library for 20 seconds.
            if self._is_up:
                self._is_up = False
                self._up_again.clear()
                self._cut()
            self._idle.wait(NEXT_CUT_SECONDS)

    def _queue(self, number: int, job: Callable[[], None]) -> None:
        self._waiting.add(number)
        self._jobs.put((number, job))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="commands", daemon=True)
            self._thread.start()

    def _take(self, number: int) -> bool:
        try:
            self._waiting.remove(number)  # atomic: the loop and the thread both try
        except KeyError:
            return False
        return True

    def _work(self) -> None:
        while True:
            number, job = self._jobs.get()
            if not self._up_again.wait(RECONNECT_SECONDS):
                self._up_again.set()  # it takes longer: the library says what that means
            # Said before it is taken, so that whoever finds nothing running can rely on that.
            self._idle.clear()
            self._running = number
            try:
                if self._take(number):
                    with suppress(OSError):  # the worker is gone; the loop finds out by itself
                        job()
            finally:
                self._running = None
                self._idle.set()

    def _logout(self, request: Logout) -> None:
        try:
            self._library.logout()
        except Exception as error:  # noqa: BLE001 - as above
            self._send(query_failure(str(error), "the logout").frame(request.request))
            return
        self._send(Done(request=request.request))
        self._unlinked()

    def _pair(self, number: str) -> None:
        try:
            code = self._library.pair_phone(number)
        except Exception as error:  # noqa: BLE001 - as above
            failure = query_failure(str(error), "the request for a pairing code")
            self._send(PairingFailed(timed_out=False, detail=failure.detail))
            self._unlinked()
            return
        self._send(PairCode(code=code, valid_seconds=PAIR_CODE_SECONDS))

    def _refuse(self, request: int) -> None:
        if request != PAIRING:
            self._fail(request, Failure.NOT_BEGUN, "")

    def _fail(self, request: int, kind: str, detail: str) -> None:
        self._send(Failed(request=request, kind=kind, detail=detail))
