"""Which connections count as dead, and what becomes of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from gateway_worker.errors import SessionNotConnectedError, UpstreamTimeoutError
from gateway_worker.host_protocol.methods.method import Done, Method, R
from gateway_worker.host_protocol.methods.session import Heard, Listen, Probe
from gateway_worker.sessions.inbound.receipts import SendsInProgress
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.sessions.session.silence import Connected, SilenceWatch
from tests.support.eventually import eventually

SILENCE_SECONDS = 0.06
LIMITS = SessionLimits(silence_seconds=SILENCE_SECONDS, probe_seconds=0.05)


@dataclass(kw_only=True)
class Watched(Connected):
    """A session whose connection does what a test says.

    Attributes:
        quiet_since: When something has come last; None: there is always something.
        answers_probes: Whether WhatsApp does.
        hangs: Whether the host answers nothing.
        looks: How often the host was asked.
        probes: How often WhatsApp was.
        anew: How often the connection was given up.
        retries: How often devices have asked its host for messages again.
        retry_receipts: The same, as far as it was told.
    """

    session_id: str = "shop"
    is_connected: bool = True
    host_pid: int | None = 7
    sends: SendsInProgress = field(default_factory=lambda: SendsInProgress(remembered=1))
    quiet_since: float | None = None
    answers_probes: bool = True
    hangs: bool = False
    looks: int = 0
    probes: int = 0
    anew: int = 0
    told: float | None = None
    retries: int = 0
    retry_receipts: int = 0

    async def request(self, call: Method[R]) -> R:
        """Answer, or do not."""
        if self.hangs:
            raise UpstreamTimeoutError("no answer")
        if isinstance(call, Listen):
            self.looks += 1
            since = self.quiet_since
            seconds = 0.0 if since is None else time.monotonic() - since
            return cast("R", Heard(seconds=seconds, retries=self.retries))
        assert isinstance(call, Probe)
        self.probes += 1
        if not self.answers_probes:
            await asyncio.Event().wait()
        self.quiet_since = time.monotonic()
        return cast("R", Done())

    def heard(self, seconds_ago: float | None, *, retries: int) -> None:
        """Note it."""
        self.retry_receipts = retries
        self.told = seconds_ago

    def connect_anew(self, detail: str) -> None:
        """Count it."""
        assert "nothing" in detail
        self.anew += 1


@asynccontextmanager
async def watching(
    *sessions: Watched, limits: SessionLimits = LIMITS
) -> AsyncIterator[SilenceWatch]:
    """Watch sessions as long as the block lasts."""
    watch, stop = SilenceWatch(sessions=lambda: sessions, limits=limits), asyncio.Event()
    running = asyncio.create_task(watch.run(stop))
    try:
        yield watch
    finally:
        stop.set()
        await running


async def test_a_connection_over_which_something_comes_is_left_alone() -> None:
    """WhatsApp is asked nothing, and it is known when it was heard."""
    session = Watched()
    async with watching(session) as watch:
        await eventually(lambda: session.looks > 5)
        assert watch.longest_seconds < SILENCE_SECONDS

    assert (session.probes, session.anew, session.told) == (0, 0, 0.0)


async def test_requests_to_send_again_are_added_up() -> None:
    """Over all sessions, and each of them once."""
    first, second = Watched(retries=2), Watched(session_id="other", retries=3)
    async with watching(first, second) as watch:
        await eventually(lambda: min(first.looks, second.looks) > 1)
        assert watch.retry_receipts == 5
        first.retries = 4
        await eventually(lambda: watch.retry_receipts == 7)


async def test_a_quiet_connection_is_asked_and_lives() -> None:
    """An answer is something that has come."""
    session = Watched(quiet_since=time.monotonic())
    async with watching(session):
        await eventually(lambda: session.probes > 2)

    assert session.anew == 0


async def test_a_connection_without_an_answer_is_given_up_once() -> None:
    """Not again before another host is there, for which everything begins anew."""
    session, other = Watched(quiet_since=0.0, answers_probes=False), Watched(session_id="cafe")
    async with watching(session, other) as watch:
        await eventually(lambda: session.anew == 1)
        assert watch.longest_seconds >= SILENCE_SECONDS
        looks, others = session.looks, other.looks
        await eventually(lambda: other.looks > others + 5)
        assert (session.looks, session.anew) == (looks, 1)
        session.host_pid = 8
        await eventually(lambda: session.anew == 2)

    assert other.anew == 0


async def test_a_host_that_hangs_is_given_up() -> None:
    """It says nothing, so nothing is known to have come, though a send may run."""
    session = Watched(hangs=True)
    with session.sends.one():
        async with watching(session):
            await eventually(lambda: session.anew == 1)


async def test_a_send_that_runs_is_not_disturbed() -> None:
    """It has the connection cut itself when it gets no answer, and so learns what became of it."""
    session = Watched(quiet_since=0.0, answers_probes=False)
    async with watching(session):
        with session.sends.one():
            await eventually(lambda: session.looks > 5)
            assert session.anew == 0
        await eventually(lambda: session.anew == 1)


@pytest.mark.parametrize("is_connected", [True, False])
async def test_a_session_that_is_not_connected_is_not_looked_at(*, is_connected: bool) -> None:
    """Nor is one that has just lost its host; both have other reasons to be looked after."""
    session = Watched(is_connected=is_connected, host_pid=None)
    looked_at = Watched(session_id="cafe")
    async with watching(session, looked_at) as watch:
        await eventually(lambda: looked_at.looks > 3)
        assert watch.longest_seconds < SILENCE_SECONDS

    assert (session.looks, session.anew) == (0, 0)


async def test_a_host_that_is_gone_by_now_is_nobody_s_fault() -> None:
    """Its end is told otherwise."""

    class Gone(Watched):
        async def request(self, call: Method[R]) -> R:
            """Be gone."""
            self.is_connected = False
            raise SessionNotConnectedError("gone")

    session, looked_at = Gone(), Watched(session_id="cafe")
    async with watching(session, looked_at):
        await eventually(lambda: looked_at.looks > 10)

    assert session.anew == 0


async def test_it_can_be_off() -> None:
    """Then no host is asked anything."""
    session = Watched(quiet_since=0.0, answers_probes=False)
    async with watching(session, limits=SessionLimits(silence_seconds=0)) as watch:
        await asyncio.sleep(0)
        assert watch.longest_seconds == 0

    assert (session.looks, session.anew) == (0, 0)
