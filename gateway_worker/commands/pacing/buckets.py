"""The arithmetic of buckets: when the next message may go, and what that leaves.

Of a bucket only the moment is kept at which it would be full again (`full_at`): each message puts
it off by the bucket's interval, and a message may go while that is less than a whole burst away.
The script in Redis computes the same (`storage.cache.pacing`); a test compares them.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """How fast something may go.

    Attributes:
        interval_ms: The time between two messages, on average.
        burst: How many may go at once after a rest.
    """

    interval_ms: int
    burst: int

    @property
    def depth_ms(self) -> int:
        """How far off `full_at` may be for a message to go at once."""
        return (self.burst - 1) * self.interval_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a message asks for.

    Attributes:
        session: The bucket of all the session's messages.
        recipient: That of its chat; None if it has its place there already.
        daily_cap: How many messages the session may send in a day; 0: as many as it wants.
        day_offset_ms: What to add to the time so that days begin at its multiples of a day.
        longest_ms: It takes no place for which it would have to wait for longer.
    """

    session: Bucket
    recipient: Bucket | None
    daily_cap: int = 0
    day_offset_ms: int = 0
    longest_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """How full buckets are; times are Unix milliseconds.

    Attributes:
        session_full_at: When the session's is full.
        recipient_full_at: When the chat's is.
        day: The day, counted from 1970, in which `count` messages had their places.
        count: How many.
    """

    session_full_at: int = 0
    recipient_full_at: int = 0
    day: int = 0
    count: int = 0

    def joined(self, other: "Levels") -> "Levels":
        """Return what holds if both do: what one of them does not know, the other may."""
        day = max(self.day, other.day)
        counts = [one.count for one in (self, other) if one.day == day]
        return Levels(
            session_full_at=max(self.session_full_at, other.session_full_at),
            recipient_full_at=max(self.recipient_full_at, other.recipient_full_at),
            day=day,
            count=max(counts),
        )


class Part(StrEnum):
    """What decides for how long a message waits."""

    DAY = "day"
    """The session's messages of the day are all sent. It has no place, and asks anew."""
    RECIPIENT = "recipient"
    """It has its place in its chat's bucket, and is to ask for one in the session's then."""
    SESSION = "session"
    """It has all its places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What a message has got.

    Attributes:
        part: What decides.
        wait_ms: How long it has to wait; if that is longer than `Asked.longest_ms`, it has nothing.
        now_ms: The time by the clock that has decided.
        levels: How full the buckets are then.
    """

    part: Part
    wait_ms: int
    now_ms: int
    levels: Levels


def reserve(asked: Asked, levels: Levels, now_ms: int) -> Reserved:
    """Give a message the next places that there are, unless they are too late for it."""
    day = (now_ms + asked.day_offset_ms) // DAY_MS
    count = levels.count if levels.day == day else 0
    if asked.daily_cap and count >= asked.daily_cap:
        until = (day + 1) * DAY_MS - asked.day_offset_ms
        return Reserved(part=Part.DAY, wait_ms=until - now_ms, now_ms=now_ms, levels=levels)
    after = replace(levels, day=day, count=count + 1)
    if asked.recipient is not None:
        wait, full_at = _take(asked.recipient, levels.recipient_full_at, now_ms)
        if wait > 0:
            further, _ = _take(asked.session, levels.session_full_at, now_ms)
            if wait <= asked.longest_ms < further - wait:  # its chat's place would be for nothing
                return Reserved(part=Part.SESSION, wait_ms=further, now_ms=now_ms, levels=levels)
            is_late = wait > asked.longest_ms
            taken = levels if is_late else replace(levels, recipient_full_at=full_at)
            return Reserved(part=Part.RECIPIENT, wait_ms=wait, now_ms=now_ms, levels=taken)
        after = replace(after, recipient_full_at=full_at)
    wait, full_at = _take(asked.session, levels.session_full_at, now_ms)
    after = levels if wait > asked.longest_ms else replace(after, session_full_at=full_at)
    return Reserved(part=Part.SESSION, wait_ms=wait, now_ms=now_ms, levels=after)


def _take(bucket: Bucket, full_at: int, now_ms: int) -> tuple[int, int]:
    """Return how long it is to the next place of a bucket, and when it is full without that."""
    full_at = max(full_at, now_ms)
    return max(0, full_at - bucket.depth_ms - now_ms), full_at + bucket.interval_ms
