"""What came to a backend, in order: bounded, and found by what it is about."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, overload

from gateway_contracts import Event

KEPT: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvent:
    """An event as it came."""

    routing_key: str
    body: bytes
    event: Event


class ReceivedEvents(Sequence[ReceivedEvent]):
    """Events by position, counted from 0 since the start; at least the newest `KEPT` are kept.

    Each is also found by its subject (a session, a worker) and by the command that it follows from.
    """

    def __init__(self) -> None:
        self._entries: list[ReceivedEvent] = []
        self._dropped = 0
        self._ids: set[str] = set()
        self._positions: defaultdict[str, list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return self._dropped + len(self._entries)

    def __iter__(self) -> Iterator[ReceivedEvent]:
        """Yield what is kept, oldest first."""
        return iter(tuple(self._entries))

    @overload
    def __getitem__(self, index: int) -> ReceivedEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[ReceivedEvent]: ...
    def __getitem__(self, index: int | slice) -> ReceivedEvent | list[ReceivedEvent]:
        """Return by position.

        Raises:
            IndexError: It has not come yet, or is not kept any more.
        """
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        position = index if index >= 0 else len(self) + index
        if position < self._dropped:
            raise IndexError(f"only the newest {len(self._entries)} events are kept")
        return self._entries[position - self._dropped]

    def add(self, arrival: ReceivedEvent) -> bool:
        """Keep an event; whether it is new."""
        event = arrival.event
        if event.id in self._ids:
            return False
        self._ids.add(event.id)
        for about in _about(event):
            self._positions[about].append(len(self))
        self._entries.append(arrival)
        if len(self._entries) >= 2 * KEPT:
            self._drop(KEPT)
        return True

    def about(self, key: str, *, after: int = 0) -> Iterator[tuple[int, ReceivedEvent]]:
        """Yield what is about a subject or follows from a command, with its position.

        Args:
            key: Id of a session, a worker or a command.
            after: Only from this position on.
        """
        positions = self._positions.get(key, [])
        for position in positions[bisect_left(positions, after) :]:
            yield position, self._entries[position - self._dropped]

    def _drop(self, count: int) -> None:
        gone = self._entries[:count]
        del self._entries[:count]
        self._dropped += count
        self._ids.difference_update(arrival.event.id for arrival in gone)
        for about in {one for arrival in gone for one in _about(arrival.event)}:
            kept = self._positions[about]
            del kept[: bisect_left(kept, self._dropped)]
            if not kept:
                del self._positions[about]


def _about(event: Event) -> set[str]:
    return {event.subject} if event.correlationid is None else {event.subject, event.correlationid}
