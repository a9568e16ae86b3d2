"""Which numbers are on WhatsApp: asked in batches with pauses, and what was answered is kept.

WhatsApp takes many such questions for abuse. So each session asks about so many numbers at a time,
and so often in a while; what it has been told lately it is not asked again.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway_worker.errors import RateLimitedError, UpstreamTimeoutError
from gateway_worker.host_protocol.methods.contacts import CheckContacts
from gateway_worker.host_protocol.methods.method import Method, R
from gateway_worker.host_protocol.wire import Person
from gateway_worker.runtime.bounds import shortest

BATCH: Final = 50
AT_ONCE: Final = 6
"""Batches that a session that has rested asks without a pause."""
PAUSE_SECONDS: Final = 2.0
"""Between two batches in the long run."""
PATIENCE_SECONDS: Final = 20.0
"""A longer pause is the backend's to make."""
REMEMBERED_NUMBERS: Final = 20_000
"""Of all sessions of the worker."""
_REMEMBERED_SESSIONS: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAnswer:
    """What WhatsApp says of a number.

    Attributes:
        person: Who has it; None: nobody.
        age_seconds: How long ago it said so.
    """

    person: Person | None
    age_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAnswers:
    """The answers by number, and how long the library needed."""

    by_number: Mapping[str, NumberAnswer]
    library_seconds: float = 0.0


class Asker(Protocol):
    """The session that asks."""

    @property
    def session_id(self) -> str:
        """Its id."""
        ...

    async def request(
        self, call: Method[R], *, command_id: str | None = None, seconds: float | None = None
    ) -> R:
        """Call a method of its host. Raises `GatewayError`."""
        ...


class NumberChecks:
    """Asks for sessions, and remembers.

    Args:
        clock: Seconds that only rise.
        pause_seconds: See `PAUSE_SECONDS`.
        at_once: See `AT_ONCE`.
        remembered: See `REMEMBERED_NUMBERS`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause_seconds: float = PAUSE_SECONDS,
        at_once: int = AT_ONCE,
        remembered: int = REMEMBERED_NUMBERS,
    ) -> None:
        self._clock = clock
        self._pause_seconds = pause_seconds
        self._at_once = at_once
        self._remembered = remembered
        self._known: OrderedDict[tuple[str, str], tuple[Person | None, float]] = OrderedDict()
        self._free_at: OrderedDict[str, float] = OrderedDict()

    async def ask(
        self,
        session: Asker,
        numbers: Sequence[str],
        *,
        max_age_seconds: float,
        command_id: str | None = None,
        seconds_left: Callable[[], float | None] = lambda: None,
        patience_seconds: float = PATIENCE_SECONDS,
        may_lack: bool = False,
    ) -> NumberAnswers:
        """Return who has each number (digits); what was answered stays known if others are not.

        Args:
            session: Whose connection is used.
            numbers: The numbers.
            max_age_seconds: How old an answer may be.
            command_id: The command that it is for.
            seconds_left: Returns for how long it may go on.
            patience_seconds: How long a pause may be.
            may_lack: Whether the answers of some may be missing, of which WhatsApp says nothing.

        Raises:
            RateLimitedError: The session has asked too often; nothing more was asked.
            UpstreamTimeoutError: WhatsApp says nothing of some.
            GatewayError: As the host says.
        """
        found = self._kept(session.session_id, numbers, max_age_seconds=max_age_seconds)
        missing = [number for number in dict.fromkeys(numbers) if number not in found]
        library_seconds = 0.0
        for start in range(0, len(missing), BATCH):
            await self.pause(session.session_id, seconds_left(), patience_seconds=patience_seconds)
            batch = tuple(missing[start : start + BATCH])
            checked = await session.request(
                CheckContacts(numbers=batch), command_id=command_id, seconds=seconds_left()
            )
            library_seconds += checked.seconds
            unanswered = frozenset(checked.unanswered)
            for place, (number, person) in enumerate(zip(batch, checked.people, strict=True)):
                if place not in unanswered:
                    self._keep(session.session_id, number, person)
                    found[number] = NumberAnswer(person=person, age_seconds=0)
        if not may_lack and not found.keys() >= set(numbers):
            raise UpstreamTimeoutError("WhatsApp did not answer for all numbers")
        return NumberAnswers(by_number=found, library_seconds=library_seconds)

    async def pause(
        self,
        session_id: str,
        seconds_left: float | None = None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Wait until a session may ask once more, and count that.

        Raises:
            RateLimitedError: That takes longer than it may.
        """
        now = self._clock()
        burst = self._pause_seconds * (self._at_once - 1)
        # When the last one would have ended if all had been asked with pauses between them.
        free_at = max(self._free_at.get(session_id, 0.0), now - burst)
        wait = max(0.0, free_at - now)
        if wait > shortest(patience_seconds, seconds_left):
            raise RateLimitedError(
                "the session has asked about very many numbers just now",
                retry_after_seconds=wait,
            )
        self._free_at[session_id] = free_at + self._pause_seconds
        self._free_at.move_to_end(session_id)
        if len(self._free_at) > _REMEMBERED_SESSIONS:
            self._free_at.popitem(last=False)
        await asyncio.sleep(wait)

    def forget(self, session_id: str) -> None:
        """Forget what a session that is deleted was told."""
        self._free_at.pop(session_id, None)
        for key in [key for key in self._known if key[0] == session_id]:
            del self._known[key]

    def _kept(
        self, session_id: str, numbers: Iterable[str], *, max_age_seconds: float
    ) -> dict[str, NumberAnswer]:
        now = self._clock()
        found: dict[str, NumberAnswer] = {}
        for number in numbers:
            kept = self._known.get((session_id, number))
            if kept is not None and now - kept[1] < max_age_seconds:
                found[number] = NumberAnswer(person=kept[0], age_seconds=int(now - kept[1]))
        return found

    def _keep(self, session_id: str, number: str, person: Person | None) -> None:
        key = (session_id, number)
        self._known[key] = (person, self._clock())
        self._known.move_to_end(key)
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
