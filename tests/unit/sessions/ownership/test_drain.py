"""A worker that leaves gives its sessions away: those that can go, once they can."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.changes import Change, Committed, TransferRefusedError
from gateway_worker.sessions.ownership.drain import BetweenCommands, Drain, PeersOverBroker
from gateway_worker.sessions.ownership.registry import SessionRegistry
from tests.support.fleet import MemberWorker, MemoryFleet
from tests.support.pacing import consistently
from tests.support.recorder import MemoryRecorder
from tests.unit.sessions.harness import SessionHarness

SECONDS = 10.0


class Others(MemoryFleet):
    """The other workers: who has room at each look, and whether the one that is named takes it.

    Attributes:
        answers: At each look, the only one that has room; none; or what the database raises. The
            last one is repeated.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[str | Exception | None] = []
        self.refuses = 0
        self.asked = 0

    async def place(self, *, without: str) -> str | None:
        """Name one."""
        assert without == "me"
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        self.workers = {} if answer is None else {answer: MemberWorker(capacity=1)}
        return await super().place(without=without)


class Giving(MemoryRecorder):
    """Commits changes of owner, unless the others refuse the session."""

    def __init__(self, others: Others) -> None:
        super().__init__(room=frozenset({"beta", "gamma"}))
        self._others = others

    def _write(self, change: Change) -> Committed:
        if self._others.refuses:
            self._others.refuses -= 1
            raise TransferRefusedError("full")
        return super()._write(change)


class Peers(PeersOverBroker):
    """The broker, and who listens there. Nothing waits in this worker's queue.

    Attributes:
        is_away: Whether it does not answer.
        deaf: For how many looks more the others are dead, although their leases are good.
        asked: How often it was asked whether it is there.
    """

    def __init__(self) -> None:
        self.is_away = False
        self.deaf = 0
        self.asked = 0

    async def backlog(self) -> int:
        """Have none."""
        return 0

    async def check(self) -> None:
        """Answer, or do not."""
        self.asked += 1
        if self.is_away:
            raise DependencyError("away")

    async def is_listening(self, worker_id: str) -> bool:
        """Find it there, or just dead."""
        assert worker_id != "me"
        self.deaf -= 1
        return self.deaf < 0


class NoCommands(BetweenCommands):
    """No command runs here."""

    async def after_current_command(
        self, session_id: str, errand: Callable[[], Awaitable[None]]
    ) -> None:
        """Run it now."""
        await errand()


class Fleet:
    """A worker with one session, and others."""

    def __init__(self, harness: SessionHarness) -> None:
        self.harness = harness
        self.others = Others()
        self.peers = Peers()
        self.gone: list[tuple[str, str]] = []
        self.registry = SessionRegistry(capacity=1)
        self.registry.add(harness.session)
        self.drain = Drain(
            worker_id="me",
            here=self.registry,
            depart=self.depart,
            sessions=self.others,
            recorder=Giving(self.others),
            commands=NoCommands(),
            is_portable=True,
            broker=self.peers,
        )

    async def depart(self, session_id: str, to_worker: str) -> None:
        """Let it go."""
        self.registry.remove(session_id)
        self.gone.append((session_id, to_worker))


@pytest.fixture
async def fleet(harness: SessionHarness) -> Fleet:
    """Its session is connected."""
    return Fleet(harness)


async def test_a_session_goes_to_the_one_with_room(fleet: Fleet) -> None:
    """At once."""
    fleet.others.answers = ["beta"]

    assert await fleet.drain.run(seconds=SECONDS) == 1

    assert fleet.gone == [("shop", "beta")]


async def test_a_session_stays_if_nobody_has_room(fleet: Fleet) -> None:
    """That is not waited for: a worker that is alone leaves at once."""
    fleet.others.answers = [None]

    assert await fleet.drain.run(seconds=SECONDS) == 0

    assert fleet.others.asked == 1
    assert fleet.harness.session.is_connected


async def test_after_an_outage_of_the_database_the_others_may_be_late(fleet: Fleet) -> None:
    """They have to renew their leases first."""
    fleet.others.answers = [None, None, "beta"]

    assert await fleet.drain.run(seconds=SECONDS, after_outage=True) == 1


async def test_a_session_does_not_go_to_one_that_has_just_died(fleet: Fleet) -> None:
    """Its lease is good for some seconds more; meanwhile the session is connected."""
    fleet.others.answers = ["beta"]
    fleet.peers.deaf = 2
    moving = asyncio.create_task(fleet.drain.run(seconds=SECONDS))
    session = fleet.harness.session
    await consistently(lambda: session.is_connected, until=lambda: fleet.peers.deaf <= 0)

    assert await moving == 1


async def test_a_worker_that_is_left_alone_leaves_when_the_lease_of_the_dead_one_ends(
    fleet: Fleet,
) -> None:
    """It does not wait for somebody who never comes."""
    fleet.others.answers = ["beta", None]
    fleet.peers.deaf = 1

    assert await fleet.drain.run(seconds=SECONDS) == 0

    assert fleet.others.asked == 2
    assert fleet.harness.session.is_connected


@pytest.mark.parametrize("which", ["database", "objects"])
async def test_a_session_goes_when_what_it_needs_is_back(fleet: Fleet, which: str) -> None:
    """It is tried again; meanwhile it is connected."""
    if which == "database":
        fleet.others.answers = [DependencyError("away"), DependencyError("away"), "beta"]
    else:
        fleet.others.answers = ["beta"]
        fleet.harness.copies.away_from = 0
    moving = asyncio.create_task(fleet.drain.run(seconds=SECONDS))
    session = fleet.harness.session
    await consistently(lambda: session.is_connected, until=lambda: fleet.others.asked >= 2)
    fleet.harness.copies.away_from = 1_000

    assert await moving == 1


async def test_a_session_that_was_refused_goes_elsewhere(fleet: Fleet) -> None:
    """It is ready already: no other copy is made."""
    fleet.others.answers = ["beta", "gamma"]
    fleet.others.refuses = 1

    assert await fleet.drain.run(seconds=SECONDS) == 1

    assert fleet.gone == [("shop", "gamma")]
    assert fleet.harness.copies.made == [False, True]


async def test_a_session_that_all_refuse_goes_on(fleet: Fleet) -> None:
    """Until the worker ends its host with the rest."""
    fleet.others.answers = ["beta"]
    fleet.others.refuses = 1_000

    assert await fleet.drain.run(seconds=SECONDS) == 0

    await fleet.harness.connected()


async def test_the_time_is_over_while_something_is_away(fleet: Fleet) -> None:
    """The worker leaves all the same, with its sessions connected to the end."""
    fleet.others.answers = ["beta"]
    fleet.harness.copies.away_from = 0

    assert await fleet.drain.run(seconds=0.05) == 0

    assert fleet.gone == []
    assert fleet.harness.session.is_connected


async def test_the_broker_is_not_waited_for_to_the_end(fleet: Fleet) -> None:
    """A new owner finds its session without being told."""
    fleet.others.answers = ["beta"]
    fleet.peers.is_away = True

    assert await fleet.drain.run(seconds=2.0) == 1

    assert fleet.peers.asked > 1
