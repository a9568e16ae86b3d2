"""What a batcher does with items that a service refuses while it takes the others.

Items with one key keep their order, those of different keys owe each other nothing. So a batch that
keeps failing is divided by key, and a key whose items cannot be written now is held aside: it is
looked at again later and later, alone, while the others go on.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway_worker.runtime.retry import Backoff

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Entry = TypeVar("Entry")

_SHARE = 10.0
"""A key waits so many times as long as looking at it took: that is time which the others lose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Division(Generic[Item, Answer]):
    """How a batch is divided.

    Attributes:
        key: Says which items must keep their order.
        flush: As the batcher's own, for the items of one key; gives up soon if something is locked.
        answers: Tells whether the service can be used otherwise. Never raises, and is bounded.
        named: What a key is, for log events.
    """

    key: Callable[[Item], Hashable]
    flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]
    answers: Callable[[], Awaitable[bool]]
    named: str = "key"


@dataclass(slots=True, kw_only=True)
class Held(Generic[Entry]):
    """The entries of one key that is held aside.

    Attributes:
        entries: In their order.
        tried: How many of the first have been flushed together. They stay together: a flush whose
            answer was lost is recognised by what was in it.
        due: When to look again, in seconds of the monotonic clock.
    """

    entries: deque[Entry]
    tried: int
    due: float = 0.0
    backoff: Backoff = field(
        default_factory=lambda: Backoff(initial_seconds=0.1, maximum_seconds=5.0)
    )

    def first(self, limit: int) -> list[Entry]:
        """Return what is to be flushed next."""
        self.tried = self.tried or min(len(self.entries), limit)
        return [self.entries[place] for place in range(self.tried)]

    def wait(self, cost_seconds: float = 0.0) -> None:
        """Put the next look off."""
        pause = max(self.backoff.next_seconds(), _SHARE * cost_seconds)
        self.due = time.monotonic() + pause


class Aside(Generic[Entry]):
    """The keys that are held aside, with their entries."""

    def __init__(self) -> None:
        self._held: dict[Hashable, Held[Entry]] = {}

    def __contains__(self, key: Hashable) -> bool:
        """Whether a key is held aside."""
        return key in self._held

    def __len__(self) -> int:
        """Return how many keys are."""
        return len(self._held)

    @property
    def waiting(self) -> int:
        """How many entries wait here."""
        return sum(len(held.entries) for held in self._held.values())

    def hold(self, key: Hashable, tried: Sequence[Entry], after: Sequence[Entry]) -> None:
        """Hold a key aside, with entries that were flushed in vain and those that come `after`."""
        held = Held(entries=deque((*tried, *after)), tried=len(tried))
        held.wait()
        self._held[key] = held

    def add(self, key: Hashable, entries: Sequence[Entry]) -> None:
        """Add entries of a key that is held."""
        self._held[key].entries.extend(entries)

    def release(self, key: Hashable) -> list[Entry]:
        """Hold a key no longer; returns its entries."""
        return list(self._held.pop(key).entries)

    def due_seconds(self) -> float | None:
        """Return in how many seconds a key is due, 0 if one is, None if none is held."""
        if not self._held:
            return None
        return max(0.0, min(held.due for held in self._held.values()) - time.monotonic())

    def next_due(self) -> tuple[Hashable, Held[Entry]] | None:
        """Return the key that has been due for the longest, None if none is."""
        if self.due_seconds() != 0.0:
            return None
        return min(self._held.items(), key=lambda each: each[1].due)

    def entries(self) -> list[Entry]:
        """Return everything that is held."""
        return [entry for held in self._held.values() for entry in held.entries]
