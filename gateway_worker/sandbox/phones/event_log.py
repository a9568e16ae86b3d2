"""What a phone saw, in order, for someone who may ask before or after it happened."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from gateway_worker.sandbox.phones.errors import NothingHappenedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Entry = TypeVar("Entry")
KEPT: Final = 20_000


class EventLog(Generic[Entry]):
    """An append-only list whose readers can wait, and that finds its entries by id.

    Positions count from 0 since the start; at least the newest `KEPT` entries are kept. Belongs to
    one event loop.
    """

    def __init__(
        self,
        *,
        what: str,
        ids_of: Callable[[Entry], Iterable[str]] = lambda _entry: (),
        on_read: Callable[[], None] | None = None,
    ) -> None:
        """Start empty.

        Args:
            what: an entry's name, for errors.
            ids_of: the ids by which an entry can be found, each once.
            on_read: called before somebody reads or waits; may append what it has held back.
        """
        self._what = what
        self._ids_of = ids_of
        self._on_read = on_read or (lambda: None)
        self._entries: list[Entry] = []
        self._positions: dict[str, deque[int]] = {}
        self._dropped = 0
        self._cursor = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        self._on_read()
        return self._length()

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for an entry."""
        return bool(self._waiters)

    def __iter__(self) -> Iterator[Entry]:
        self._on_read()
        return iter(tuple(self._entries))

    def append(self, entry: Entry) -> None:
        """Add an entry and wake whoever waits."""
        for one in self._ids_of(entry):
            self._positions.setdefault(one, deque()).append(self._length())
        self._entries.append(entry)
        if len(self._entries) >= 2 * KEPT:
            self._drop(KEPT)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def since(self, position: int) -> tuple[Entry, ...]:
        """Return the kept entries from a position on."""
        self._on_read()
        return tuple(self._entries[max(position - self._dropped, 0) :])

    def find(self, entry_id: str) -> Entry | None:
        """Return the newest kept entry with an id, or None."""
        self._on_read()
        positions = self._positions.get(entry_id)
        return self._entries[positions[-1] - self._dropped] if positions else None

    async def next(self, *, timeout: float) -> Entry:  # noqa: ASYNC109 - part of the error's text
        """Return the next entry that `next` has not returned yet.

        Args:
            timeout: seconds.

        Raises:
            NothingHappenedError: none came in time.
        """
        if not await self._reached(self._cursor, self._deadline(timeout)):
            raise NothingHappenedError(f"no {self._what} within {timeout:g} s")
        position = max(self._cursor, self._dropped)
        self._cursor = position + 1
        return self._entries[position - self._dropped]

    async def wait_for(
        self,
        accept: Callable[[Entry], bool],
        *,
        entry_id: str | None = None,
        timeout: float,  # noqa: ASYNC109 - part of the error's text
    ) -> Entry:
        """Return the first entry, past or future, that `accept` likes; `next` is not affected.

        Args:
            accept: called once per entry.
            entry_id: look only at entries with this id.
            timeout: seconds.

        Raises:
            NothingHappenedError: none came in time.
        """
        position, deadline = 0, self._deadline(timeout)
        while await self._reached(position, deadline):
            for entry in self._with_id(position, entry_id):
                if accept(entry):
                    return entry
            position = self._length()
        raise NothingHappenedError(f"no such {self._what} within {timeout:g} s")

    async def wait_since(
        self,
        position: int,
        *,
        timeout: float,  # noqa: ASYNC109 - the length of a long poll
    ) -> tuple[Entry, ...]:
        """Return the entries from a position on; wait up to `timeout` seconds for the first."""
        await self._reached(position, self._deadline(timeout))
        return self.since(position)

    def _with_id(self, position: int, entry_id: str | None) -> Iterable[Entry]:
        if entry_id is None:
            return self.since(position)
        kept = self._positions.get(entry_id, ())
        return [self._entries[one - self._dropped] for one in kept if one >= position]

    def _drop(self, count: int) -> None:
        for entry in islice(self._entries, count):
            for one in self._ids_of(entry):
                positions = self._positions[one]
                positions.popleft()
                if not positions:
                    del self._positions[one]
        del self._entries[:count]
        self._dropped += count

    def _length(self) -> int:
        return self._dropped + len(self._entries)

    @staticmethod
    def _deadline(timeout: float) -> float:
        return asyncio.get_running_loop().time() + timeout

    async def _reached(self, position: int, deadline: float) -> bool:
        self._on_read()
        while position >= self._length():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                async with asyncio.timeout_at(deadline):
                    await waiter
            except TimeoutError:
                return False
            finally:
                self._waiters.discard(waiter)
        return True
