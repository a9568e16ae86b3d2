"""One message's way through its session's pacing, over all of its attempts."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway_contracts import Pacing
from gateway_worker.commands.lanes import Passing
from gateway_worker.commands.pacing.buckets import Asked, Part, Reserved
from gateway_worker.commands.pacing.pacer import Pacer
from gateway_worker.commands.pacing.plan import Plan
from gateway_worker.errors import RateLimitedError
from gateway_worker.sessions.chats import chat_of, spellings_of

QUIET: Final = "quiet_hours"
PARTS: Final = (*(part.value for part in Part), QUIET)
"""What messages are held back by."""
_LITTLE_SECONDS: Final = 0.001
_REASONS: Final = {
    Part.DAY: "the session has sent as many messages as its pacing allows in a day",
    Part.RECIPIENT: "its chat has had as many messages as the session's pacing allows for now",
    Part.SESSION: "the session has sent as many messages as its pacing allows for now",
    QUIET: "these are quiet hours for its recipient",
}


class PacedError(RateLimitedError):
    """A message would have to wait for too long. It is not tried again: it has had no effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a message is to wait for.

    Attributes:
        seconds: For how long.
        passing: Who may pass it: nobody, if it is what all messages wait for.
    """

    seconds: float
    passing: Passing


class Pace:
    """What one message has got so far.

    Args:
        pacer: Gives the places.
        session_id: Whose message it is.
        recipient: Whom it goes to: a phone number or a JID.
        created_at: When the session was created.
        drawn: Draws a number between 0 and 1.

    Attributes:
        waited_seconds: For how long it has been held back; for the caller to count.
    """

    def __init__(
        self,
        *,
        pacer: Pacer,
        session_id: str,
        recipient: str,
        created_at: datetime,
        drawn: Callable[[], float] = random.random,
    ) -> None:
        self._pacer = pacer
        self._session_id = session_id
        # One person's bucket is the same however the number is written.
        self._recipient = min(spellings_of(chat_of(recipient)))
        self._created_at = created_at
        self._drawn = drawn
        self._plan: Plan | None = None
        self._has_recipient = self._is_through = self._has_typed = False
        self._wait = Wait(seconds=0.0, passing=Passing.NOBODY)
        self._due = 0.0
        self.waited_seconds = 0.0

    async def next_wait(self, pacing: Pacing | None, *, longest_seconds: float) -> Wait | None:
        """Return what it is to wait for before it may be sent; None: nothing.

        After the wait, whether it was whole or not, it asks again.

        Args:
            pacing: What its session is set to now.
            longest_seconds: For how long it may wait.

        Raises:
            PacedError: That is too short; it has taken no place.
        """
        plan = self._pacer.plan_of(pacing)
        if plan is not self._plan:  # set otherwise meanwhile
            self._plan, self._due = plan, 0.0
            self._has_recipient = self._is_through = False
        left = self._due - self._pacer.clock.monotonic()
        if left > _LITTLE_SECONDS:
            return Wait(seconds=left, passing=self._wait.passing)
        if plan is None or self._is_through:
            return None
        now = self._pacer.clock.now()
        if (quiet := plan.quiet_seconds(now, self._recipient)) > 0:
            return self._held(QUIET, quiet, Passing.OTHER_ORDERS, longest_seconds)
        reserved = await self._pacer.reserve(
            self._session_id, self._recipient, self._asked(plan, now, longest_seconds)
        )
        return self._next(plan, reserved, longest_seconds)

    def typing_seconds(self, characters: int, *, longest_seconds: float) -> float:
        """Return for how long it is to be shown that somebody writes this; told once.

        Args:
            characters: How much there is to write.
            longest_seconds: For how long the message may still wait.
        """
        typing = None if self._plan is None else self._plan.typing
        if typing is None or self._has_typed or not characters:
            return 0.0
        self._has_typed = True
        seconds = min(typing.longest_seconds, characters / typing.characters_per_second)
        return min(seconds, longest_seconds)

    def _asked(self, plan: Plan, now: datetime, longest_seconds: float) -> Asked:
        return Asked(
            session=plan.session,
            recipient=None if self._has_recipient else plan.recipient,
            daily_cap=plan.cap_on(now, created_at=self._created_at),
            day_offset_ms=plan.day_offset_ms(now),
            longest_ms=int(longest_seconds * 1000),
        )

    def _next(self, plan: Plan, reserved: Reserved, longest_seconds: float) -> Wait | None:
        part, seconds = reserved.part, reserved.wait_ms / 1000
        if part is Part.SESSION and not seconds:
            self._is_through = True
            return None
        passing = Passing.OTHER_ORDERS if part is Part.RECIPIENT else Passing.NOBODY
        wait = self._held(part, seconds, passing, longest_seconds, jitter=self._jitter(plan, part))
        self._has_recipient = self._has_recipient or part is Part.RECIPIENT
        self._is_through = part is Part.SESSION
        return wait

    def _jitter(self, plan: Plan, part: Part) -> float:
        bucket = plan.recipient if part is Part.RECIPIENT else plan.session
        return self._drawn() * plan.jitter * bucket.interval_ms / 1000

    def _held(
        self,
        part: str,
        seconds: float,
        passing: Passing,
        longest_seconds: float,
        *,
        jitter: float = 0.0,
    ) -> Wait:
        if seconds > longest_seconds:
            self._pacer.observer.message_refused(part)
            raise PacedError(_REASONS[part], retry_after_seconds=seconds)
        seconds = min(seconds + jitter, longest_seconds)
        self._pacer.observer.message_held(part, seconds)
        self._due = self._pacer.clock.monotonic() + seconds
        self._wait = Wait(seconds=seconds, passing=passing)
        return self._wait
