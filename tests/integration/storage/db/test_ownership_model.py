"""Ownership against a model: whatever happens in whatever order, the tables say what it says.

Hypothesis draws lives of three workers with few places and the sessions between them, runs them on
a real PostgreSQL, and shortens what goes wrong.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pydantic import SecretStr

from gateway_worker.commands.ports import Verdict
from gateway_worker.sessions.changes import TransferRefusedError
from gateway_worker.sessions.ports import PendingMarker, SessionRow
from gateway_worker.storage.db import (
    Database,
    DatabaseSettings,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresSessionStore,
    PostgresWorkerStore,
)
from tests.integration.storage.db.support import (
    NOW,
    expire,
    handed,
    message,
    received,
    registered,
    session_row,
)

Answer = TypeVar("Answer")
CAPACITIES = {"a": 2, "b": 3, "c": 4}
names = st.sampled_from(sorted(CAPACITIES))
places = st.integers(0, 20)
"""Which session, counted from the oldest."""

CLEAR = "TRUNCATE sessions, workers, commands, messages, outbox"
STREAMS = """
    SELECT session_id, array_agg(sequence ORDER BY id) AS sequences,
        array_agg(DISTINCT worker_id) AS publishers
    FROM outbox GROUP BY session_id
"""


@dataclass
class Worker:
    """What is known of a worker."""

    stores: list[PostgresWorkerStore]
    """One for each of its processes; the last has the name."""
    live: bool = True
    draining: bool = False


@dataclass
class Held:
    """What is known of a session."""

    owner: str
    epoch: int = 1
    events: int = 0
    pending: list[PendingMarker] = field(default_factory=list)

    def move(self, owner: str, *, given: bool = False) -> None:
        """Let another worker have it."""
        self.epoch += 1
        self.pending.append(PendingMarker(epoch=self.epoch, queue_of=self.owner, given=given))
        self.owner = owner


class Ownership(RuleBasedStateMachine):
    """The model beside the database."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.sessions = PostgresSessionStore(database=self.database)
        self.workers: dict[str, Worker] = {}
        self.held: dict[str, Held] = {}
        self.numbers = count(1)

    def run(self, call: Awaitable[Answer]) -> Answer:
        """Wait for the database."""

        async def wait() -> Answer:
            return await call

        return self.runner.run(wait())

    # What the model knows.

    def lives(self, name: str) -> bool:
        """Tell whether a worker has a lease."""
        return name in self.workers and self.workers[name].live

    def room(self, name: str) -> int:
        """Return how many sessions a worker may still get."""
        if not self.lives(name) or self.workers[name].draining:
            return 0
        return CAPACITIES[name] - self.load(name)

    def load(self, name: str) -> int:
        """Return how many sessions a worker owns."""
        return sum(session.owner == name for session in self.held.values())

    def orphans(self) -> list[str]:
        """Return the sessions of dead workers, the oldest first."""
        return [name for name, session in self.held.items() if not self.lives(session.owner)]

    def pick(self, place: int) -> tuple[str, Held]:
        """Return a session."""
        return list(self.held.items())[place % len(self.held)]

    # What happens to workers.

    @initialize()
    def begin(self) -> None:
        """Forget the last life."""

        async def clear() -> None:
            async with self.database.direct("clearing") as connection:
                await connection.execute(CLEAR)

        self.run(clear())

    @rule(name=names)
    def register(self, name: str) -> None:
        """A process starts, whether or not one of that name is there."""
        store = self.run(registered(self.database, name, capacity=CAPACITIES[name]))
        before = self.workers[name].stores if name in self.workers else []
        self.workers[name] = Worker(stores=[*before, store])

    @precondition(lambda self: self.workers)
    @rule(name=names)
    def die(self, name: str) -> None:
        """A lease ends."""
        if name in self.workers:
            self.run(expire(self.database, name))
            self.workers[name].live = False

    @precondition(lambda self: self.workers)
    @rule(name=names, back=st.integers(0, 1))
    def renew(self, name: str, back: int) -> None:
        """The last process of a name renews its lease, or one before it tries to."""
        if name not in self.workers or back >= len(self.workers[name].stores):
            return
        worker = self.workers[name]
        assert self.run(worker.stores[-1 - back].renew()) is (back == 0)
        worker.live = worker.live or back == 0

    @precondition(lambda self: self.workers)
    @rule(name=names)
    def drain(self, name: str) -> None:
        """A worker wants no more sessions."""
        if name in self.workers:
            self.run(self.workers[name].stores[-1].drain())
            self.workers[name].draining = True

    # What happens to sessions.

    @precondition(lambda self: self.workers)
    @rule(name=names)
    def create(self, name: str) -> None:
        """A session begins on a worker that has room."""
        if self.room(name) > 0:
            number = next(self.numbers)
            created = NOW + timedelta(seconds=number)
            row = session_row(f"s{number}", worker_id=name, created_at=created)
            assert self.run(self.sessions.create(row)) is not None
            self.held[row.session_id] = Held(owner=name)

    @precondition(lambda self: self.workers)
    @rule(name=names, limit=st.integers(0, 5))
    def take_over(self, name: str, limit: int) -> None:
        """One worker takes orphans: the oldest, as many as it may."""
        expected = self.orphans()[: max(0, min(limit, self.room(name)))]
        taken = self.run(self.sessions.take_over(name, limit=limit))
        assert [row.session_id for row in taken] == expected
        for session_id in expected:
            self.held[session_id].move(name)

    @precondition(lambda self: self.orphans())
    @rule(limit=st.integers(1, 3))
    def take_over_at_once(self, limit: int) -> None:
        """All workers take orphans: each gets its own ones, and nobody too many."""

        async def all_at_once() -> list[Any]:
            calls = [self.sessions.take_over(name, limit=limit) for name in CAPACITIES]
            return await asyncio.gather(*calls)

        orphans = set(self.orphans())
        rooms = {name: self.room(name) for name in CAPACITIES}
        for name, rows in zip(CAPACITIES, self.run(all_at_once()), strict=True):
            assert len(rows) <= max(0, min(limit, rooms[name]))
            for row in rows:
                orphans.remove(row.session_id)
                self.held[row.session_id].move(name)

    @precondition(lambda self: self.held)
    @rule(place=places, to=names, age=st.integers(0, 1))
    def transfer(self, place: int, to: str, age: int) -> None:
        """An owner, or one that was the owner once, gives a session away."""
        session_id, session = self.pick(place)
        store = PostgresChangeStore(database=self.database, worker_id=session.owner)
        change = handed(to, f"c{next(self.numbers)}", session=session_id, epoch=session.epoch - age)
        fits = self.room(to) > 0 and to != session.owner
        if age == 0 and not fits:
            with pytest.raises(TransferRefusedError):
                self.run(store.commit([change]))
            return
        (answer,) = self.run(store.commit([change]))
        assert (answer.fenced, answer.transferred) == (age > 0, age == 0)
        assert answer.rows == ()
        if answer.transferred:
            session.events += 1
            session.move(to, given=True)

    @precondition(lambda self: self.held)
    @rule(place=places, age=st.integers(0, 1))
    def write(self, place: int, age: int) -> None:
        """An owner, or one that was the owner once, writes an event."""
        session_id, session = self.pick(place)
        store = PostgresChangeStore(database=self.database, worker_id=session.owner)
        change = message(next(self.numbers), session=session_id, epoch=session.epoch - age)
        (answer,) = self.run(store.commit([change]))
        assert answer.fenced is (age > 0)
        session.events += age == 0

    @precondition(lambda self: self.held)
    @rule(place=places, age=st.integers(0, 1))
    def enter(self, place: int, age: int) -> None:
        """An owner, or one that was the owner once, enters a command."""
        session_id, session = self.pick(place)
        command = received(
            f"c{next(self.numbers)}",
            session_id,
            worker=session.owner,
            epoch=session.epoch - age,
        )
        (entry,) = self.run(PostgresInboxStore(database=self.database).enter([command]))
        assert entry.verdict is (Verdict.FENCED if age else Verdict.NEW)

    @precondition(lambda self: self.held)
    @rule(place=places, name=names)
    def claim(self, place: int, name: str) -> None:
        """A worker takes a session up again; only its owner can."""
        session_id, session = self.pick(place)
        row = self.run(self.sessions.claim(session_id, name))
        assert (row is not None) is (name == session.owner)
        session.epoch += row is not None

    @precondition(lambda self: self.held)
    @rule(place=places, marker=places, age=st.integers(0, 1))
    def see_marker(self, place: int, marker: int, age: int) -> None:
        """A marker comes through, with all older ones that are pending, or one that is not."""
        session_id, session = self.pick(place)
        epochs = [each.epoch for each in session.pending] + [0]
        epoch = epochs[marker % len(epochs)]
        call = self.sessions.markers_passed(session_id, epoch=session.epoch - age, up_to=epoch)
        assert self.run(call) is (age == 0)
        if age == 0:
            session.pending = [each for each in session.pending if each.epoch > epoch]

    @precondition(lambda self: self.held)
    @rule(place=places, marker=places)
    def leave_queue(self, place: int, marker: int) -> None:
        """A marker comes out of the queue that it ends, or one does that is not pending."""
        session_id, session = self.pick(place)
        epochs = [each.epoch for each in session.pending] + [0]
        epoch = epochs[marker % len(epochs)]
        self.run(self.sessions.marker_left(session_id, marker_epoch=epoch))
        session.pending = [
            replace(each, left=True) if each.epoch == epoch else each for each in session.pending
        ]

    # What must hold.

    @invariant()
    def the_tables_agree(self) -> None:
        """Owners, epochs and markers are the model's; events are gapless and the owner's."""
        rows, streams, orphans, room = self.run(self._look())
        assert {row.session_id: (row.worker_id, row.epoch, row.pending) for row in rows} == {
            name: (session.owner, session.epoch, tuple(session.pending))
            for name, session in self.held.items()
        }
        assert streams == {
            name: (list(range(1, session.events + 1)), [session.owner])
            for name, session in self.held.items()
            if session.events
        }
        assert orphans == len(self.orphans())
        assert room == sum(max(0, self.room(name)) for name in CAPACITIES)
        assert all(self.load(name) <= capacity for name, capacity in CAPACITIES.items())

    async def _look(
        self,
    ) -> tuple[list[SessionRow], dict[str, tuple[list[int], list[str]]], int, int]:
        async with self.database.direct("looking") as connection:
            found = await connection.fetch(STREAMS)
        streams = {row["session_id"]: (row["sequences"], row["publishers"]) for row in found}
        rows = [row for name in CAPACITIES for row in await self.sessions.owned_by(name)]
        return rows, streams, await self.sessions.orphans(), await self.sessions.room()


@pytest.mark.timeout(600)  # a failure is shortened for minutes
def test_ownership_follows_its_model(database_url: str) -> None:
    """One owner at a time, epochs that grow, markers that nobody forgets, no overfull worker."""
    runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    database = Database(settings=DatabaseSettings(url=SecretStr(database_url)))
    with runner:
        runner.run(database.__aenter__())
        try:
            run_state_machine_as_test(
                type("Machine", (Ownership,), {"runner": runner, "database": database}),
                settings=settings(
                    max_examples=25,
                    stateful_step_count=30,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.__aexit__(None, None, None))
