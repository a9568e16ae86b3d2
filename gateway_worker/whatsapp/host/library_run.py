"""The library's client at work: the thread that is inside it, and those that wait for it."""

import threading
import time
from collections.abc import Callable
from typing import Final

from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.whatsapp.convert.people import account
from gateway_worker.whatsapp.convert.stops import is_stop
from gateway_worker.whatsapp.host import arriving, library_events
from gateway_worker.whatsapp.host.kernel import cut_connections
from gateway_worker.whatsapp.host.library_callbacks import HostSignal, LibraryReturned, LoggedIn
from gateway_worker.whatsapp.host.native import Callbacks, Library
from gateway_worker.whatsapp.host.severing import keep_severed, sever

ANSWER_SECONDS: Final = 0.3
"""How long a send may still wait for its answer when the device store has failed."""
LOOK_SECONDS: Final = 0.2
"""How long everything waits for what the library says of a connection."""


class LibraryRun:
    """One run of the library. Its threads are its own; what they find out is told to the loop.

    Args:
        library: Ready to run.
        tell: Hands something to the loop; never blocks.
        wake: Wakes the loop.
        is_sending: Whether a send waits for its answer.
        is_leaving: Whether the host is about to leave.

    Attributes:
        was_connected: Whether there was a connection; set by the loop.
        has_failed_store: Whether the device store has failed, so that no connection may last; set
            by the loop.
        has_returned: Whether the library is over: what it decrypts from then on it hands to nobody.
        has_stopped: Whether the library has stopped telling events.
        is_over: Whether the loop has taken note of that, and nothing more can come from it.
        disconnected: Set when the library has disconnected for good.
        disconnected_at: When that was, by the monotonic clock.
    """

    def __init__(
        self,
        *,
        library: Library,
        tell: Callable[[HostSignal], None],
        wake: Callable[[], None],
        is_sending: Callable[[], bool],
        is_leaving: Callable[[], bool],
    ) -> None:
        self._library = library
        self._tell = tell
        self._wake = wake
        self._is_sending = is_sending
        self._is_leaving = is_leaving
        self._disconnecting = threading.Event()
        self.was_connected = False
        self.has_failed_store = False
        self.has_returned = False
        self.has_stopped = False
        self.is_over = False
        self.disconnected = threading.Event()
        self.disconnected_at = 0.0

    @property
    def is_disconnecting(self) -> bool:
        """Whether it has been told to disconnect, and has not done so yet."""
        return self._disconnecting.is_set()

    def start(self, callbacks: Callbacks, *, settings: HostSettings, proxy: str | None) -> None:
        """Run the client on a thread of its own; its end is told as `LibraryReturned`."""
        threading.Thread(
            target=self._run, args=(callbacks, settings, proxy), name="library", daemon=True
        ).start()

    def look(self, connection: int) -> None:
        """Find out about a connection that has just been made; told as `LoggedIn`.

        On a thread of its own: lost again meanwhile, the connection cannot be asked about before
        the library has made another, or has given up on that after 20 seconds.

        Args:
            connection: Which one, by the count of the loop.
        """
        look = threading.Thread(target=self._look, args=(connection,), name="look", daemon=True)
        look.start()
        look.join(LOOK_SECONDS)  # usually it is there: what has come over it is told after that

    def disconnect(self) -> None:
        """Disconnect for good, on a thread of its own: a connection being made holds this up."""
        self._disconnecting.set()
        threading.Thread(target=self._disconnect, name="disconnect", daemon=True).start()

    def cut_what_is_up(self) -> None:
        """Cut the connection if there is one."""
        # The question waits while a connection is being made. Cut in that moment, it would occupy
        # the library for 20 seconds, which could not even be told to disconnect.
        if self._library.is_up():
            cut_connections()

    def _run(self, callbacks: Callbacks, settings: HostSettings, proxy: str | None) -> None:
        wanted = (*library_events.subscribed(settings), *arriving.subscribed(settings))
        error = self._library.run(callbacks=callbacks, subscribe=wanted, proxy=proxy)
        self.has_returned = True
        is_expected = not error and self._is_leaving()
        if is_expected or not is_stop(error, was_connected=self.was_connected):
            self._tell(LibraryReturned(error=error))
            return
        # In this thread: each moment costs messages.
        sever(is_answering=self._is_sending)
        self.has_stopped = True
        self._tell(LibraryReturned(error=error))
        keep_severed(until=lambda: self.is_over)

    def _look(self, connection: int) -> None:
        if self.has_failed_store:
            self.cut_what_is_up()  # the library makes new ones until it is told not to
        elif self._library.is_up():
            own = account(self._library.me())
            self._tell(LoggedIn(connection=connection, own=own))

    def _disconnect(self) -> None:
        self._library.disconnect()
        self.disconnected_at = time.monotonic()
        self.disconnected.set()
        self._disconnecting.clear()
        self._wake()
