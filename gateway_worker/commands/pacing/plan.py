"""How fast one session sends: what its backend has set, filled up with what the worker has."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from gateway_contracts import Pacing, PacingProfile, QuietHours, TypingPace, WarmUp
from gateway_worker.commands.pacing.buckets import Bucket
from gateway_worker.commands.pacing.quiet_hours import quiet_seconds, zone_of
from gateway_worker.commands.pacing.settings import PacingSettings
from gateway_worker.commands.pacing.time_zones import zones_of_number
from gateway_worker.errors import InvalidCommandError

_MOST: Final = 1_000_000_000
"""A cap that is as high as this is none."""
_MS: Final = 1_000
_SLOWEST: Final = 1e-6
"""A message in eleven days: what is slower is counted as this, lest intervals get out of sight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Profile:
    """What a profile says where a backend says nothing else."""

    per_second: float
    burst: int
    daily_cap: int | None = None
    warm_up: WarmUp | None = None


_PROFILES: Final[Mapping[PacingProfile, _Profile]] = {
    PacingProfile.NEW: _Profile(per_second=0.2, burst=5, daily_cap=1_000, warm_up=WarmUp()),
    PacingProfile.NORMAL: _Profile(per_second=1, burst=20, daily_cap=5_000),
    PacingProfile.TRUSTED: _Profile(per_second=20, burst=100),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How fast a session sends.

    Attributes:
        session: All its messages.
        recipient: Those to one chat.
        daily_cap: How many it sends in a day; None: as many as it wants.
        warm_up: How that grows.
        jitter: By how much a wait may be longer, as a share of an interval.
        zone: Where its days begin.
        quiet_hours: When it sends nothing.
        typing: How long it types.
    """

    session: Bucket
    recipient: Bucket
    daily_cap: int | None
    warm_up: WarmUp | None
    jitter: float
    zone: tzinfo
    quiet_hours: QuietHours | None
    typing: TypingPace | None

    def cap_on(self, now: datetime, *, created_at: datetime) -> int:
        """Return how many messages the session may send on this day; 0: as many as it wants."""
        cap = self.daily_cap or _MOST
        if self.warm_up is not None:
            began = self.warm_up.since or created_at
            days = (now.astimezone(self.zone).date() - began.astimezone(self.zone).date()).days
            cap = min(cap, _grown(self.warm_up, max(0, days)))
        return 0 if cap >= _MOST else cap

    def day_offset_ms(self, now: datetime) -> int:
        """Return by how much the clock is ahead of UTC where the session's days begin."""
        offset = now.astimezone(self.zone).utcoffset() or timedelta()
        return int(offset.total_seconds() * _MS)

    def quiet_seconds(self, now: datetime, recipient: str) -> float:
        """Return for how long a recipient is to be left alone; 0 if it is not quiet now.

        Args:
            now: The time.
            recipient: A phone number or a JID.
        """
        hours = self.quiet_hours
        if hours is None:
            return 0.0
        named = (hours.time_zone,) if hours.time_zone else zones_of_number(recipient)
        known = map(zone_of, named)
        zones = tuple(zone for zone in known if zone is not None) or (self.zone,)
        start, end = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
        return quiet_seconds(now, start, end, zones)


def _grown(warm_up: WarmUp, days: int) -> int:
    try:
        return math.floor(min(_MOST, warm_up.first_day * warm_up.growth**days))
    except OverflowError:
        return _MOST


def make_plan(pacing: Pacing, settings: PacingSettings) -> Plan | None:
    """Return how fast a session sends; None: as fast as it goes."""
    profile = _PROFILES.get(pacing.profile or settings.profile)
    if profile is None:
        return None
    per_second = pacing.per_second or profile.per_second
    recipient = pacing.recipient
    seconds = settings.recipient_seconds if recipient is None else recipient.seconds
    return Plan(
        session=Bucket(
            interval_ms=max(1, round(_MS / max(per_second, _SLOWEST))),
            burst=pacing.burst or profile.burst,
        ),
        recipient=Bucket(
            interval_ms=max(1, round(_MS * seconds)),
            burst=settings.recipient_burst if recipient is None else recipient.burst,
        ),
        daily_cap=pacing.daily_cap or profile.daily_cap,
        warm_up=pacing.warm_up or profile.warm_up,
        jitter=settings.jitter if pacing.jitter is None else pacing.jitter,
        zone=zone_of(pacing.time_zone or settings.time_zone) or UTC,
        quiet_hours=pacing.quiet_hours,
        typing=pacing.typing,
    )


def check_zones(pacing: Pacing | None) -> None:
    """Raise `InvalidCommandError` if a time zone is named that this machine does not know."""
    if pacing is None:
        return
    quiet = pacing.quiet_hours
    named = {
        "/data/pacing/time_zone": pacing.time_zone,
        "/data/pacing/quiet_hours/time_zone": quiet and quiet.time_zone,
    }
    for pointer, name in named.items():
        if name is not None and zone_of(name) is None:
            raise InvalidCommandError("there is no such time zone", pointer=pointer)
