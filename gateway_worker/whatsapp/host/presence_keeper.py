"""What is shown of the account's presence, and whose is told, over every connection.

WhatsApp knows of neither once a connection is lost, and the library does not repeat it.
"""

import threading
from collections.abc import Callable, Iterable


class PresenceKeeper:
    """What is wanted, and what of it WhatsApp has been told over this connection. For every thread.

    Args:
        failed: Called when something was not taken while it was restored.
    """

    def __init__(self, *, failed: Callable[[], None] = lambda: None) -> None:
        self._failed = failed
        self._lock = threading.Lock()
        self._state = ""
        self._people: tuple[str, ...] = ()
        self._told_state = ""
        self._told_people: set[str] = set()

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._state or self._people)

    def want(self, state: str, people: Iterable[str]) -> None:
        """Take what is wanted from now on; it is told by `restore`."""
        with self._lock:
            self._state, self._people = state, tuple(people)

    def connected(self) -> None:
        """Note that there is a new connection, over which nothing was told."""
        with self._lock:
            self._told_state = ""
            self._told_people.clear()

    def told_state(self, state: str) -> None:
        """Note that WhatsApp was told of the account's presence."""
        with self._lock:
            self._state = self._told_state = state

    def told_of(self, person: str) -> None:
        """Note that WhatsApp was told to tell somebody's presence, which is wanted."""
        with self._lock:
            self._told_people.add(person)
            if person not in self._people:
                self._people += (person,)

    def restore(self, show: Callable[[str], None], subscribe: Callable[[str], None]) -> None:
        """Tell what is wanted and was not told over this connection.

        Args:
            show: Tells WhatsApp of the account's presence. May raise.
            subscribe: Has it tell somebody's. May raise.
        """
        with self._lock:
            state = self._state if self._state != self._told_state else ""
            people = [one for one in self._people if one not in self._told_people]
        if state:
            self._try(show, state)
        for person in people:
            self._try(subscribe, person)

    def _try(self, tell: Callable[[str], None], what: str) -> None:
        try:
            tell(what)
        except Exception:  # noqa: BLE001 - the next connection tries again
            self._failed()
