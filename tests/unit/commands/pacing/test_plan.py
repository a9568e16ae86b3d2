"""What a backend sets of pacing, what that means, and when it is quiet where."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from gateway_contracts import Pacing, PacingProfile, QuietHours, WarmUp
from gateway_worker.commands.pacing.buckets import Bucket
from gateway_worker.commands.pacing.plan import check_zones, make_plan
from gateway_worker.commands.pacing.quiet_hours import quiet_seconds, zone_of
from gateway_worker.commands.pacing.settings import PacingSettings
from gateway_worker.commands.pacing.time_zones import zones_of_number
from gateway_worker.errors import InvalidCommandError

OWN = PacingSettings()
DAY = datetime(2026, 11, 24, tzinfo=UTC)


def test_what_is_given_goes_before_the_profile() -> None:
    """And that before the worker's own."""
    plan = make_plan(Pacing(profile=PacingProfile.NORMAL, burst=3), OWN)
    assert plan is not None
    assert plan.session == Bucket(interval_ms=1_000, burst=3)
    assert plan.recipient == Bucket(interval_ms=6_000, burst=45)
    assert (plan.daily_cap, plan.warm_up) == (5_000, None)
    assert make_plan(Pacing(), PacingSettings(profile=PacingProfile.OFF)) is None
    assert make_plan(Pacing(profile=PacingProfile.OFF), OWN) is None


def test_the_slowest_pace_has_an_interval() -> None:
    """However near to nothing it is; a session that is set so still answers."""
    plan = make_plan(Pacing(per_second=5e-324), OWN)
    assert plan is not None
    assert plan.session.interval_ms == 1_000_000_000


@pytest.mark.parametrize(("days", "cap"), [(0, 10), (1, 20), (2, 40), (3, 50), (400, 50), (-3, 10)])
def test_a_cap_grows_up_to_the_highest(days: int, cap: int) -> None:
    """From the day on which it began, however long ago that is."""
    warm_up = WarmUp(first_day=10, growth=2, since=DAY)
    plan = make_plan(Pacing(warm_up=warm_up, daily_cap=50), OWN)
    assert plan is not None
    now = datetime.fromordinal(DAY.toordinal() + days).replace(tzinfo=UTC)
    assert plan.cap_on(now, created_at=now) == cap


def test_without_a_highest_it_grows_out_of_sight() -> None:
    """And is none then."""
    plan = make_plan(Pacing(warm_up=WarmUp(since=DAY, growth=10)), OWN)
    assert plan is not None
    assert plan.cap_on(datetime(2027, 11, 24, tzinfo=UTC), created_at=DAY) == 0


@pytest.mark.parametrize(
    ("clock", "start", "end", "hours"),
    [
        ("12:00", "21:00", "08:00", 0),
        ("21:00", "21:00", "08:00", 11),
        ("23:30", "21:00", "08:00", 8.5),
        ("02:00", "21:00", "08:00", 6),
        ("08:00", "21:00", "08:00", 0),
        ("12:30", "12:00", "13:00", 0.5),
        ("13:00", "12:00", "13:00", 0),
        ("09:00", "09:00", "09:00", 0),
    ],
)
def test_hours_are_quiet_until_their_end(clock: str, start: str, end: str, hours: float) -> None:
    """Also those that go over midnight."""
    now = datetime.combine(DAY.date(), time.fromisoformat(clock), UTC)
    ends = (time.fromisoformat(start), time.fromisoformat(end))
    assert quiet_seconds(now, *ends, (UTC,)) == hours * 3_600


def test_several_zones_are_quiet_while_one_is() -> None:
    """One after the other, if they follow each other."""
    night = (time(22), time(8))
    zones = (ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles"))
    eight_in_new_york = datetime(2026, 11, 24, 13, tzinfo=UTC)
    assert quiet_seconds(eight_in_new_york, *night, zones[:1]) == 0
    assert quiet_seconds(eight_in_new_york, *night, zones) == 3 * 3_600
    assert quiet_seconds(datetime(2026, 11, 24, 12, tzinfo=UTC), *night, zones) == 4 * 3_600


def test_the_night_is_an_hour_shorter_when_clocks_go_forward() -> None:
    """By the clock on the wall."""
    saturday_evening = datetime(2026, 3, 28, 21, tzinfo=UTC)  # 22:00 in Berlin
    quiet = quiet_seconds(saturday_evening, time(22), time(8), (ZoneInfo("Europe/Berlin"),))
    assert quiet == 9 * 3_600


@pytest.mark.parametrize(
    ("recipient", "zones"),
    [
        ("+4917012345678", ("Europe/Berlin",)),
        ("393331234567@s.whatsapp.net", ("Europe/Rome",)),
        ("77012345678", ("Asia/Almaty", "Asia/Aqtau")),
        ("12425550100", ("America/Nassau",)),
        ("100000000000101@lid", ()),
        ("120363000000000001@g.us", ()),
        ("", ()),
    ],
)
def test_numbers_tell_where_people_are(recipient: str, zones: tuple[str, ...]) -> None:
    """By the longest code that fits."""
    assert zones_of_number(recipient) == zones


def test_where_nothing_tells_it_is_the_session_s_zone() -> None:
    """Or the one that is set for its quiet hours."""
    now = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)  # 22:30 in Berlin
    hours = QuietHours(start="22:00", end="08:00")
    plan = make_plan(Pacing(quiet_hours=hours, time_zone="Europe/Berlin"), OWN)
    assert plan is not None
    assert plan.quiet_seconds(now, "120363000000000001@g.us") == 9.5 * 3_600
    assert plan.quiet_seconds(now, "+442012345678") == 0
    named = hours.model_copy(update={"time_zone": "Asia/Tokyo"})
    plan = make_plan(Pacing(quiet_hours=named, time_zone="Europe/Berlin"), OWN)
    assert plan is not None
    assert plan.quiet_seconds(now, "+4917012345678") == 1.5 * 3_600


def test_all_zones_of_the_table_are_known() -> None:
    """To whoever has the IANA's database."""
    codes = [str(code) for code in range(1, 10_000)]
    names = {name for code in codes for name in zones_of_number(f"{code}00000")}
    assert len(names) > 150
    assert [name for name in names if zone_of(name) is None] == []


def test_a_zone_that_there_is_not_is_refused() -> None:
    """Where it is set."""
    check_zones(None)
    check_zones(Pacing(time_zone="Europe/Berlin"))
    with pytest.raises(InvalidCommandError) as caught:
        check_zones(
            Pacing(quiet_hours=QuietHours(start="01:00", end="02:00", time_zone="Mars/Base"))
        )
    assert caught.value.pointer == "/data/pacing/quiet_hours/time_zone"
