"""The lease: hosts run only while it is held."""

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.ownership.lease import LeaseKeeper, LeaseLostError
from gateway_worker.sessions.ownership.ports import Hosts
from tests.support.eventually import eventually
from tests.support.leases import MemoryLeases, MemoryWorker
from tests.support.pacing import pace


class Table(MemoryLeases):
    """A workers table that can be away, or slow."""

    def __init__(self) -> None:
        super().__init__(MemoryWorker(), lease_seconds=1.5)
        self.away = False
        self.slowness = 0.0
        self.renewals = 0

    async def register(self, *, version: str, capacity: int) -> None:
        """Enter the worker."""
        if self.away:
            raise DependencyError("away")
        await super().register(version=version, capacity=capacity)

    async def renew(self) -> bool:
        """Renew its lease."""
        if self.away:
            raise DependencyError("away")
        await pace(self.slowness)
        self.renewals += 1
        return await super().renew()


@dataclass
class ToldHosts(Hosts):
    """Hosts that are told how long they may run."""

    leases: list[float] = field(default_factory=list)
    spare: list[float] = field(default_factory=list)
    kills: int = 0

    def extend_lease(self, seconds: float, *, spare_seconds: float = 0.0) -> None:
        """Note it."""
        self.leases.append(seconds)
        self.spare.append(spare_seconds)

    def kill_all(self) -> None:
        """Count it."""
        self.kills += 1


class Keeping:
    """A keeper that runs."""

    def __init__(self) -> None:
        self.table, self.hosts, self.lease_state = Table(), ToldHosts(), LeaseState()
        self.lapsed = self.regained = 0
        self.keeper = LeaseKeeper(
            leases=self.table,
            hosts=self.hosts,
            lease_state=self.lease_state,
            on_lapsed=self._on_lapsed,
            on_regained=self._on_regained,
            version="1",
            capacity=1,
        )

    async def _on_lapsed(self) -> None:
        self.lapsed += 1

    async def _on_regained(self) -> None:
        self.regained += 1
        self.held_when_regained = self.lease_state.is_held
        self.leases_when_regained = len(self.hosts.leases)


async def test_a_lease_that_is_renewed_is_never_lost() -> None:
    keeping, stop = Keeping(), asyncio.Event()
    await keeping.keeper.begin()
    task = asyncio.create_task(keeping.keeper.run(stop))
    await eventually(lambda: keeping.table.renewals >= 3)
    assert keeping.lease_state.is_held
    stop.set()
    await task
    assert (keeping.hosts.kills, keeping.lapsed, keeping.regained) == (0, 0, 0)
    assert all(0 < seconds < keeping.table.lease_seconds for seconds in keeping.hosts.leases)
    ends = map(sum, zip(keeping.hosts.leases, keeping.hosts.spare, strict=True))
    assert all(end < keeping.table.lease_seconds for end in ends)
    assert min(keeping.hosts.spare) > 0


async def test_hosts_are_killed_when_it_cannot_be_renewed_and_may_run_again_when_it_can() -> None:
    keeping, stop = Keeping(), asyncio.Event()
    await keeping.keeper.begin()
    task = asyncio.create_task(keeping.keeper.run(stop))
    keeping.table.away = True
    await eventually(lambda: keeping.lapsed == 1)
    assert (keeping.hosts.kills, keeping.lease_state.is_held) == (1, False)
    keeping.table.away = False
    await eventually(lambda: keeping.regained == 1)
    assert keeping.lease_state.is_held
    await asyncio.wait_for(keeping.lease_state.held(), 1)
    stop.set()
    await task


async def test_a_database_that_has_become_slow_does_not_keep_a_worker_without_its_lease() -> None:
    """To make a connection anew takes a while over a long way; cut short, it would never be one."""
    keeping, stop = Keeping(), asyncio.Event()
    await keeping.keeper.begin()
    keeping.lease_state.extend(0.0)
    keeping.table.slowness = 0.8
    task = asyncio.create_task(keeping.keeper.run(stop))
    await eventually(lambda: keeping.lease_state.is_held)
    stop.set()
    await task


async def test_no_host_starts_before_it_is_known_whose_the_sessions_are() -> None:
    """A worker that stood still for longer than its lease has not even noted its end."""
    keeping, stop = Keeping(), asyncio.Event()
    await keeping.keeper.begin()
    keeping.lease_state.extend(0.0)
    task = asyncio.create_task(keeping.keeper.run(stop))
    await eventually(lambda: keeping.regained == 1)
    assert (keeping.lapsed, keeping.held_when_regained) == (1, False)
    assert keeping.leases_when_regained == 1, "of the beginning"
    await eventually(lambda: keeping.lease_state.is_held)
    assert len(keeping.hosts.leases) > 1
    stop.set()
    await task


async def test_a_second_process_of_the_same_name_ends_the_first() -> None:
    keeping = Keeping()
    await keeping.keeper.begin()
    await MemoryLeases(keeping.table.row).register(version="1", capacity=1)
    with pytest.raises(LeaseLostError):
        await keeping.keeper.run(asyncio.Event())
    assert keeping.hosts.kills == 1
    assert not keeping.lease_state.is_held


@pytest.mark.parametrize(("known_after_seconds", "is_known"), [(0.0, True), (3600.0, False)])
def test_others_know_of_a_lease_when_they_have_looked_since_it_began(
    known_after_seconds: float, *, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then one of them may come to the queue of a worker that it has found dead."""
    monkeypatch.setattr(
        "gateway_worker.sessions.lease_state._KNOWN_AFTER_SECONDS", known_after_seconds
    )
    lease_state = LeaseState()
    lease_state.extend(float("inf"))

    assert (lease_state.is_known, lease_state.is_held) == (is_known, True)


async def test_nothing_is_held_before_the_first_lease() -> None:
    lease_state = LeaseState()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lease_state.held(), 0.05)
