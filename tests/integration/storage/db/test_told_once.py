"""What arrives twice and is no message is told once: one event, one number, whoever has it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway_contracts.spec.examples import load_examples
from gateway_worker.errors import GatewayError
from gateway_worker.host_protocol.envelope import Event
from gateway_worker.outbox.recorder import Recorder
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.inbound.arrivals import TOLD_ONCE, arrival
from gateway_worker.sessions.inbound.recording import InboundRecorder
from gateway_worker.sessions.inbound.rows import change_of
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresSessionStore
from gateway_worker.storage.db.retention import PostgresHistory
from tests.integration.storage.db.support import (
    OTHER,
    WORKER,
    count,
    expire,
    finished,
    message,
    numbers,
    registered,
    rows_of,
    value,
)
from tests.support.arrivals import event
from tests.support.databases import execute
from tests.support.eventually import eventually

EXAMPLES = {one.name: one for one in load_examples() if one.type in TOLD_ONCE}


def notices() -> Sequence[str]:
    """Return the names of examples: one at least of each type."""
    assert {one.type for one in EXAMPLES.values()} == TOLD_ONCE
    return sorted(EXAMPLES)


def told(name: str) -> Event:
    """Return an example as a host tells it."""
    return event(EXAMPLES[name].type, EXAMPLES[name].payload["data"], identity=name)


def change(name: str, *, session: str = "s", epoch: int = 1) -> Change:
    """Return the change that records an example."""
    found, _ = arrival(told(name), source="/workers/w", session_id=session)
    return change_of(found, session_id=session, epoch=epoch)


NAME = notices()[0]


class Owner:
    """A worker that has the session `s` under an epoch, and its host.

    Attributes:
        told: What was committed.
    """

    def __init__(self, database: Database, *, worker_id: str, epoch: int) -> None:
        self._source, self._epoch = f"/workers/{worker_id}", epoch
        store = PostgresChangeStore(database=database, worker_id=worker_id)
        self.recorder = Recorder(store=store, offer=lambda _rows: None)
        self.restart()

    def restart(self) -> None:
        """Begin anew, with nothing in mind."""
        self.inbound = InboundRecorder(
            session_id="s",
            source=self._source,
            record=self.recorder.record,
            epoch=self._epoch,
            quarantine=lambda _change: None,
        )

    async def arrive(self, name: str) -> None:
        """Record an example that the host tells; returns when it may forget it."""
        acknowledged: list[int] = []
        self.inbound.record(told(name), acknowledged.append)
        await eventually(lambda: acknowledged == [1])


@asynccontextmanager
async def owner(database: Database, *, worker_id: str, epoch: int) -> AsyncIterator[Owner]:
    """Let a worker record."""
    one, stop = Owner(database, worker_id=worker_id, epoch=epoch), asyncio.Event()
    running = asyncio.create_task(one.recorder.run(stop))
    try:
        yield one
    finally:
        stop.set()
        await running


async def test_each_has_one_event_and_one_number(
    database: Database, database_url: str, sessions: PostgresSessionStore
) -> None:
    """Live, from another process, by way of another worker, and when the outbox has forgotten."""
    names = notices()
    async with owner(database, worker_id=WORKER, epoch=1) as first:
        for name in (*names, *names):
            await first.arrive(name)
        first.restart()
        for name in names:
            await first.arrive(name)
    assert await types(database) == [EXAMPLES[name].type for name in names]
    kept = [bytes(body) for body in await column(database, "body")]
    await execute(database_url, "DELETE FROM outbox")

    for worker_id in (WORKER, OTHER):
        await registered(database, worker_id)
    await expire(database)
    await sessions.take_over(OTHER, limit=10)
    async with owner(database, worker_id=OTHER, epoch=2) as second:
        for name in names:
            await second.arrive(name)
        second.restart()
        assert await second.inbound.record_forwarded(kept)
        (answer,) = await asyncio.gather(second.recorder.record(message(1, epoch=2)))

    assert numbers(answer.rows) == [len(names) + 1]
    assert await types(database) == ["wa.message.received.v1"]


async def column(database: Database, name: str) -> list[Any]:
    """Return a column of the outbox, in order."""
    async with database.direct("looking") as connection:
        return [row[0] for row in await connection.fetch(f"SELECT {name} FROM outbox ORDER BY id")]


async def types(database: Database) -> list[Any]:
    """Return the types of the events in the outbox, in order."""
    return await column(database, "type")


async def test_of_several_in_a_batch_the_first_is_told(changes: PostgresChangeStore) -> None:
    """Also among messages, and each session has its own."""
    batch = [change(NAME), message(1), change(NAME), change(NAME, session="t"), change(NAME)]
    answers = await changes.commit(batch)

    assert [answer.applied for answer in answers] == [True, True, False, True, False]
    assert numbers(rows_of(answers)) == [1, 2, 1]


async def test_messages_leave_nothing_there(
    database: Database, changes: PostgresChangeStore
) -> None:
    """They are in the history, which tells their repeats."""
    await changes.commit([message(1), finished("c")])

    assert await count(database, "told_events") == 0


async def test_what_was_not_written_was_not_told(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Of a former owner, or in a batch of which something is refused."""
    (fenced,) = await changes.commit([change(NAME, epoch=7)])
    assert fenced.fenced
    with pytest.raises(GatewayError):
        await changes.commit([change(NAME), message(1, chat="a\x00b")])
    assert await count(database, "told_events") == 0

    (answer,) = await changes.commit([change(NAME)])
    assert answer.applied


async def test_a_session_of_the_same_name_is_told_anew(
    database: Database, changes: PostgresChangeStore, sessions: PostgresSessionStore
) -> None:
    """Nothing of a deleted one stays."""
    row = await sessions.get("s")
    assert row is not None
    await changes.commit([change(NAME), change(NAME, session="t")])
    await changes.commit([replace(finished("c"), delete=True)])
    assert await value(database, "SELECT string_agg(session_id, ',') FROM told_events") == "t"

    await sessions.create(row)
    again = await sessions.get("s")
    assert again is not None
    (answer,) = await changes.commit([change(NAME, epoch=again.epoch)])
    assert answer.applied


async def test_it_is_known_for_as_long_as_receipts_are(
    database: Database, database_url: str, changes: PostgresChangeStore
) -> None:
    """Then it may be told once more."""
    day = timedelta(days=1)
    shelves = PostgresHistory(database=database).shelves(
        commands=day, messages=day, receipts=30 * day, counts=day
    )
    (shelf,) = [shelf for shelf in shelves if shelf.name == "told_events"]
    await changes.commit([change(NAME), change(NAME, session="t")])
    await execute(
        database_url,
        "UPDATE told_events SET told_at = told_at - interval '31 days' WHERE session_id = 's'",
    )

    assert await shelf.prune(10) == 1
    answers = await changes.commit([change(NAME), change(NAME, session="t")])
    assert [answer.applied for answer in answers] == [True, False]
