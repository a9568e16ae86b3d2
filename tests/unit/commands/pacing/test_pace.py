"""How far a message gets by its session's pacing, and when."""

from datetime import timedelta

import pytest

from gateway_contracts import (
    ErrorCode,
    Pacing,
    PacingProfile,
    QuietHours,
    RecipientPacing,
    TypingPace,
)
from gateway_worker.commands.lanes import Passing
from gateway_worker.commands.pacing.buckets import DAY_MS
from gateway_worker.commands.pacing.pace import PARTS, Pace, PacedError, Wait
from gateway_worker.commands.pacing.pacer import AWAY_SECONDS, Pacer
from gateway_worker.commands.pacing.settings import PacingSettings
from gateway_worker.metrics import PACED_BY
from tests.support.clocks import START, ManualClock
from tests.support.pacing_buckets import CountingObserver, MemoryBuckets

ADA, BEN = "+12025550101", "12025550102@s.whatsapp.net"
SLOW = Pacing(per_second=0.1, burst=2, recipient=RecipientPacing(burst=1, seconds=60), jitter=0.0)
PATIENCE = 600.0


class PacingHarness:
    """A pacer, the buckets that it asks, and a clock."""

    def __init__(self, settings: PacingSettings | None = None) -> None:
        self.clock = ManualClock()
        self.buckets = MemoryBuckets(now_ms=int(START.timestamp() * 1000))
        self.observer = CountingObserver()
        self.settings = settings or PacingSettings()
        self.pacer = self.worker()
        self.drawn = 0.0

    def worker(self) -> Pacer:
        """Return the pacer of another worker."""
        return Pacer(
            store=self.buckets,
            settings=self.settings,
            observer=self.observer,
            clock=self.clock,
        )

    def turn(self, seconds: float) -> None:
        """Let it become later, everywhere."""
        self.clock.seconds += seconds
        self.buckets.now_ms += int(seconds * 1000)

    def message(self, to: str) -> Pace:
        """Return a message that is to be sent."""
        return Pace(
            pacer=self.pacer,
            session_id="shop",
            recipient=to,
            created_at=START,
            drawn=lambda: self.drawn,
        )

    async def ask(
        self, message: Pace, pacing: Pacing | None = SLOW, *, longest: float = PATIENCE
    ) -> Wait | None:
        """Have a message ask."""
        return await message.next_wait(pacing, longest_seconds=longest)

    async def send(self, to: str, pacing: Pacing | None = SLOW) -> float:
        """Send a message, with all its waits; returns for how long it was held back."""
        message, held = self.message(to), 0.0
        while (wait := await self.ask(message, pacing)) is not None:
            self.turn(wait.seconds)
            held += wait.seconds
        return held


@pytest.fixture
def harness() -> PacingHarness:
    """A pacer."""
    return PacingHarness()


async def test_a_chat_waits_for_its_own_and_others_pass(harness: PacingHarness) -> None:
    """First for its chat's place, which others need not, then for one that all need."""
    assert [await harness.send(to) for to in (ADA, BEN)] == [0, 0]

    message = harness.message(ADA)
    first = await harness.ask(message)
    assert first == Wait(seconds=60, passing=Passing.OTHER_ORDERS)
    assert await harness.ask(message) == first, "asked again too early it goes on waiting"
    harness.turn(60)
    assert await harness.ask(message) is None
    assert await harness.ask(message) is None

    await harness.send("12025550103")
    all_wait = await harness.ask(harness.message("12025550104"))
    assert all_wait == Wait(seconds=10, passing=Passing.NOBODY)
    assert harness.observer.held == [("recipient", 60), ("session", 10)]


async def test_one_chat_is_one_however_it_is_written(harness: PacingHarness) -> None:
    """By number or by id, of whichever device, and with or without the digit of a mobile."""
    await harness.send("12025550101:7@s.whatsapp.net")
    assert await harness.send(ADA) == 60
    await harness.send("+551187654321")
    assert await harness.send("5511987654321@s.whatsapp.net") == 60


async def test_a_wait_that_is_too_long_is_refused_and_takes_nothing(
    harness: PacingHarness,
) -> None:
    """At once, with the time to come again; a patient one has the same place then."""
    await harness.send(ADA)

    for _ in range(3):
        with pytest.raises(PacedError) as refused:
            await harness.ask(harness.message(ADA), longest=59.9)
        body = refused.value.body()
        assert (body.code, body.retry_after_ms) == (ErrorCode.RATE_LIMITED, 60_000)

    assert harness.observer.refused == ["recipient"] * 3
    assert await harness.ask(harness.message(ADA), longest=60) == Wait(
        seconds=60, passing=Passing.OTHER_ORDERS
    )


async def test_a_chat_gives_no_place_that_the_session_would_give_too_late(
    harness: PacingHarness,
) -> None:
    """One who has little patience, and comes again each time, would use up those of its chat."""
    pacing = SLOW.model_copy(update={"recipient": RecipientPacing(seconds=1, burst=1)})
    for to in (ADA, BEN):
        await harness.send(to, pacing)

    for _ in range(3):
        with pytest.raises(PacedError):
            await harness.ask(harness.message(ADA), pacing, longest=1)
    assert harness.observer.refused == ["session"] * 3

    harness.turn(10)
    assert await harness.ask(harness.message(ADA), pacing, longest=1) is None


async def test_jitter_only_adds(harness: PacingHarness) -> None:
    """Up to its share of the interval, and not beyond what the message may wait."""
    pacing = SLOW.model_copy(update={"jitter": 0.5})
    harness.drawn = 1.0
    await harness.send(ADA, pacing)
    wait = await harness.ask(harness.message(ADA), pacing)
    assert wait is not None
    assert wait.seconds == 90
    held = await harness.ask(harness.message(ADA), pacing, longest=125)
    assert held is not None
    assert held.seconds == 125


async def test_what_is_set_otherwise_counts_at_once(harness: PacingHarness) -> None:
    """Also for a message that waits."""
    await harness.send(ADA)
    message = harness.message(ADA)
    assert await harness.ask(message) is not None
    assert await harness.ask(message, Pacing(profile=PacingProfile.OFF)) is None


async def test_somebody_types_once_and_not_for_long(harness: PacingHarness) -> None:
    """By how much there is to write, within what the message may still wait."""
    pacing = Pacing(typing=TypingPace(characters_per_second=10, longest_seconds=8))
    for characters, longest, expected in ((50, PATIENCE, 5), (500, PATIENCE, 8), (50, 1.0, 1)):
        message = harness.message(ADA)
        assert await harness.ask(message, pacing) is None
        assert message.typing_seconds(0, longest_seconds=longest) == 0
        assert message.typing_seconds(characters, longest_seconds=longest) == expected
        assert message.typing_seconds(characters, longest_seconds=longest) == 0
    silent = harness.message(ADA)
    assert await harness.ask(silent, Pacing()) is None
    assert silent.typing_seconds(50, longest_seconds=PATIENCE) == 0


async def test_off_asks_nobody() -> None:
    """Neither when the worker is set so nor when the session is."""
    harness = PacingHarness(PacingSettings(profile=PacingProfile.OFF))
    assert harness.pacer.plan_of(None) is None
    assert [await harness.send(ADA, None) for _ in range(200)] == [0] * 200
    assert harness.buckets.asked == 0
    assert harness.observer.held == []


async def test_the_worker_s_own_is_what_whatsapp_bears(harness: PacingHarness) -> None:
    """45 messages to one chat at once, then one each six seconds; 100 to all, then 20 a second."""
    harness.drawn = 0.0
    held = [await harness.send(ADA, None) for _ in range(47)]
    assert held == [0] * 45 + [6, 6]

    harness.turn(3_600)
    held = [await harness.send(f"1202555{number:04}", None) for number in range(102)]
    assert held == [0] * 100 + [0.05, 0.05]


async def test_a_day_has_its_cap_and_the_next_a_higher_one(harness: PacingHarness) -> None:
    """A new account's: 20 at first, half as many more each day."""
    pacing = Pacing(profile=PacingProfile.NEW, per_second=100, burst=1_000)
    assert [await harness.send(f"1202555{n:04}", pacing) for n in range(20)] == [0] * 20

    with pytest.raises(PacedError) as refused:
        await harness.ask(harness.message(ADA), pacing)
    assert refused.value.retry_after_seconds == 18 * 3_600  # it is six in the morning
    assert harness.observer.refused == ["day"]

    harness.turn(18 * 3_600)
    assert [await harness.send(f"1202555{n:04}", pacing) for n in range(30)] == [0] * 30
    with pytest.raises(PacedError):
        await harness.ask(harness.message(ADA), pacing)


async def test_a_message_waits_for_the_day_to_come(harness: PacingHarness) -> None:
    """If that is soon; by the clock of the session's time zone."""
    pacing = Pacing(daily_cap=1, time_zone="Asia/Kathmandu")  # 5:45 ahead of UTC
    await harness.send(ADA, pacing)
    harness.turn((12 * 3_600 + 15 * 60) - 60)
    assert await harness.ask(harness.message(BEN), pacing) == Wait(
        seconds=60, passing=Passing.NOBODY
    )
    harness.turn(60)
    assert await harness.ask(harness.message(BEN), pacing) is None


async def test_quiet_hours_hold_only_those_for_whom_it_is_night(harness: PacingHarness) -> None:
    """It is six in the morning in London, and afternoon in Tokyo."""
    pacing = Pacing(quiet_hours=QuietHours(start="22:00", end="06:05"))
    assert await harness.ask(harness.message("+81312345678"), pacing) is None
    assert await harness.ask(harness.message("+442012345678"), pacing) == Wait(
        seconds=300, passing=Passing.OTHER_ORDERS
    )
    with pytest.raises(PacedError) as refused:
        await harness.ask(harness.message("+12025550101"), pacing)
    assert refused.value.retry_after_seconds is not None
    assert harness.observer.refused == ["quiet_hours"]
    assert harness.buckets.asked == 1


async def test_without_the_shared_buckets_a_worker_goes_on_by_itself(
    harness: PacingHarness,
) -> None:
    """Where it was, without asking each time; and so do they when they are back."""
    await harness.send(ADA)
    harness.buckets.is_away = True

    assert await harness.ask(harness.message(ADA)) == Wait(seconds=60, passing=Passing.OTHER_ORDERS)
    assert await harness.ask(harness.message(BEN)) is None
    assert (harness.buckets.asked, harness.observer.alone) == (2, 2)

    harness.buckets.is_away = False
    harness.turn(AWAY_SECONDS)
    wait = await harness.ask(harness.message(ADA))
    assert wait is not None
    assert wait.seconds == 120 - AWAY_SECONDS
    assert harness.observer.alone == 2


async def test_buckets_that_are_lost_are_no_fresh_start(harness: PacingHarness) -> None:
    """The worker that has asked knows; another one may send a burst, and no more."""
    pacing = Pacing(per_second=0.1, burst=2, daily_cap=3, recipient=RecipientPacing(burst=2))
    assert [await harness.send(to, pacing) for to in (ADA, BEN)] == [0, 0]
    harness.buckets.flush()
    assert await harness.ask(harness.message("12025550103"), pacing) == Wait(
        seconds=10, passing=Passing.NOBODY
    )
    with pytest.raises(PacedError):
        await harness.ask(harness.message("12025550104"), pacing)

    harness.buckets.flush()
    harness.pacer = harness.worker()
    held = [await harness.ask(harness.message(to), pacing) for to in (ADA, BEN, "1202555103")]
    assert held[:2] == [None, None]
    assert held[2] is not None


async def test_another_worker_goes_on_where_this_one_was(harness: PacingHarness) -> None:
    """The buckets are the session's."""
    await harness.send(ADA)
    harness.pacer = harness.worker()
    assert await harness.send(ADA) == 60


def test_what_holds_messages_back_has_a_metric() -> None:
    """Each has its label."""
    assert set(PACED_BY) == set(PARTS)
    assert timedelta(milliseconds=DAY_MS) == timedelta(days=1)
