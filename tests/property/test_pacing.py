"""The buckets' arithmetic, against what anybody would count who writes down when messages go."""

from hypothesis import assume, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway_worker.commands.pacing.buckets import DAY_MS, Asked, Bucket, Levels, Part, reserve
from tests.property.support import run

START_MS = 1_795_502_481_000
INTERVALS = strategies.integers(min_value=1, max_value=10_000)
BURSTS = strategies.integers(min_value=1, max_value=8)


class Pacing(RuleBasedStateMachine):
    """A session that sends to two chats, and a record of when each message goes."""

    @initialize(
        session=strategies.builds(Bucket, interval_ms=INTERVALS, burst=BURSTS),
        chat=strategies.builds(Bucket, interval_ms=INTERVALS, burst=BURSTS),
        cap=strategies.integers(min_value=0, max_value=12),
        offset=strategies.integers(min_value=-43_200_000, max_value=50_400_000),
    )
    def begin(self, session: Bucket, chat: Bucket, cap: int, offset: int) -> None:
        """Set how fast it goes."""
        self.session, self.chat, self.cap, self.offset = session, chat, cap, offset
        self.now = START_MS
        self.levels = Levels()
        self.full_at = {"ada": 0, "ben": 0}
        self.gone: list[int] = []
        self.gone_to: dict[str, list[int]] = {"ada": [], "ben": []}
        self.days: list[int] = []

    @rule(milliseconds=strategies.integers(min_value=0, max_value=30_000))
    def pass_time(self, milliseconds: int) -> None:
        """Let it become later."""
        self.now += milliseconds

    @rule(days=strategies.integers(min_value=1, max_value=2))
    def pass_days(self, days: int) -> None:
        """Let it become another day."""
        self.now += days * DAY_MS

    @rule(
        to=strategies.sampled_from(("ada", "ben")),
        longest=strategies.integers(min_value=0, max_value=60_000),
    )
    def send(self, to: str, longest: int) -> None:
        """Have a message ask for its places, one after the other, and wait for each."""
        chat: Bucket | None = self.chat
        at = self.now
        for _ in range(2):
            asked = Asked(
                session=self.session,
                recipient=chat,
                daily_cap=self.cap,
                day_offset_ms=self.offset,
                longest_ms=longest,
            )
            levels = Levels(
                session_full_at=self.levels.session_full_at,
                recipient_full_at=self.full_at[to],
                day=self.levels.day,
                count=self.levels.count,
            )
            reserved = reserve(asked, levels, at)
            if reserved.part is Part.DAY:
                assert self.days.count((at + self.offset) // DAY_MS) >= self.cap > 0
                assert reserved.levels == levels
                assert (at + reserved.wait_ms + self.offset) % DAY_MS == 0
                return
            if reserved.wait_ms > longest:
                assert reserved.levels == levels, "it has taken a place that is too late for it"
                return
            self.levels, self.full_at[to] = reserved.levels, reserved.levels.recipient_full_at
            if reserved.part is Part.SESSION:
                if chat is not None:
                    self.gone_to[to].append(at)
                self.gone.append(at + reserved.wait_ms)
                self.days.append((at + self.offset) // DAY_MS)
                return
            assert reserved.wait_ms > 0
            self.gone_to[to].append(at + reserved.wait_ms)
            at += reserved.wait_ms
            chat = None
        raise AssertionError("it was sent from place to place")

    @rule()
    def wait_for_the_last(self) -> None:
        """Let all that have a place go."""
        assume(self.gone)
        self.now = max(self.now, *self.gone)

    @invariant()
    def no_bucket_gives_more_than_it_has(self) -> None:
        """In no stretch of time there are more than a burst and what has run in since."""
        if not hasattr(self, "gone"):
            return
        for bucket, times in (
            (self.session, self.gone),
            (self.chat, self.gone_to["ada"]),
            (self.chat, self.gone_to["ben"]),
        ):
            ordered = sorted(times)
            for first, start in enumerate(ordered):
                for last in range(first + bucket.burst, len(ordered)):
                    least = (last - first + 1 - bucket.burst) * bucket.interval_ms
                    assert ordered[last] - start >= least

    @invariant()
    def no_day_has_more_than_its_cap(self) -> None:
        """Counted by the days in which they got their places."""
        if hasattr(self, "gone") and self.cap:
            assert all(self.days.count(day) <= self.cap for day in set(self.days))


def test_pacing() -> None:
    """Whatever is sent when, nothing goes faster than it may."""
    run(Pacing, examples=60, steps=30)
