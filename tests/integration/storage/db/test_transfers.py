"""Sessions that are handed over in good order: with their last events, or not at all."""

import asyncio
from dataclasses import replace

import pytest

from gateway_contracts import ErrorCode, SessionState
from gateway_worker.outbox.recorder import Recorder
from gateway_worker.sessions.changes import (
    Change,
    OutboxRow,
    SessionValues,
    Transfer,
    TransferRefusedError,
)
from gateway_worker.sessions.ports import PendingMarker
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresOutboxStore,
    PostgresSessionStore,
)
from tests.integration.storage.db.support import (
    OTHER,
    WORKER,
    count,
    expire,
    finished,
    handed,
    message,
    numbers,
    registered,
    rows_of,
    session_row,
    value,
    waiting,
)
from tests.support.eventually import eventually


async def test_a_transfer_takes_everything_along(
    database: Database,
    sessions: PostgresSessionStore,
    changes: PostgresChangeStore,
    outbox: PostgresOutboxStore,
) -> None:
    """Outcome, state, owner, epoch, marker and unpublished events, the newest among them."""
    await registered(database, OTHER)
    before = rows_of(await changes.commit([message(n) for n in range(2)]))
    await outbox.mark_published([before[0].outbox_id])
    update = SessionValues(state=SessionState.CONNECTING)
    change = replace(handed(OTHER), session=update)
    answers = await changes.commit([message(2), change, message(3), message(1, session="t")])

    assert [(a.applied, a.fenced, a.transferred) for a in answers] == [
        (True, False, False),
        (True, False, True),
        (False, True, False),
        (True, False, False),
    ]
    assert [len(answer.rows) for answer in answers] == [0, 0, 0, 1]
    row = await sessions.get("s")
    assert row is not None
    assert (row.worker_id, row.epoch, row.state) == (OTHER, 2, SessionState.CONNECTING)
    assert row.pending == (PendingMarker(epoch=2, queue_of=WORKER, given=True),)
    assert await value(database, "SELECT state FROM commands WHERE id = 'm'") == "succeeded"
    theirs = await PostgresOutboxStore(database=database, worker_id=OTHER).pending(
        after=0, limit=10
    )
    assert numbers(theirs) == [2, 3, 4]
    assert [row.session_id for row in await outbox.pending(after=0, limit=10)] == ["t"]


async def test_the_new_owner_goes_on(database: Database, changes: PostgresChangeStore) -> None:
    """With the next number, and may give the session back."""
    await registered(database)
    await registered(database, OTHER)
    await changes.commit([message(1), handed(OTHER)])
    theirs = PostgresChangeStore(database=database, worker_id=OTHER)
    answers = await theirs.commit([message(2, epoch=2), handed(WORKER, "n", epoch=2)])
    assert [answer.transferred for answer in answers] == [False, True]

    (answer,) = await changes.commit([message(3, epoch=3)])
    assert numbers(answer.rows) == [5]
    pending = "SELECT pending FROM sessions WHERE id = 's'"
    assert await value(database, pending) == [
        {"epoch": 2, "queue_of": WORKER, "given": True},
        {"epoch": 3, "queue_of": OTHER, "given": True},
    ]


@pytest.mark.parametrize("why", ["full", "draining", "dead", "unknown", "itself"])
async def test_a_worker_that_cannot_have_it(
    database: Database, sessions: PostgresSessionStore, changes: PostgresChangeStore, why: str
) -> None:
    """Nothing of the batch is written, and each other change can be written without it."""
    target = {"unknown": "nobody", "itself": WORKER}.get(why, OTHER)
    await registered(database)
    other = await registered(database, OTHER, capacity=1)
    if why == "full":
        await sessions.create(session_row("o", worker_id=OTHER))
    elif why == "draining":
        await other.drain()
    elif why == "dead":
        await expire(database, OTHER)
    batch = [message(1), handed(target), message(2)]
    with pytest.raises(TransferRefusedError) as caught:
        await changes.commit(batch)

    assert caught.value.code == ErrorCode.CAPACITY
    assert [await count(database, table) for table in ("outbox", "commands", "messages")] == [0] * 3
    row = await sessions.get("s")
    assert row is not None
    assert (row.worker_id, row.epoch, row.pending) == (WORKER, 1, ())
    assert numbers(rows_of(await changes.commit([message(1), message(2)]))) == [1, 2]


async def test_only_the_refused_change_fails(
    database: Database, sessions: PostgresSessionStore, changes: PostgresChangeStore
) -> None:
    """Through the recorder: what was queued before and behind it is committed, in order."""
    await registered(database, OTHER, capacity=1)
    await sessions.create(session_row("o", worker_id=OTHER))
    offered: list[OutboxRow] = []
    recorder = Recorder(store=changes, offer=offered.extend)
    stop = asyncio.Event()
    futures = [
        recorder.record(change)
        for change in (message(1), handed(OTHER), message(2), message(1, session="t"))
    ]
    running = asyncio.create_task(recorder.run(stop))
    answers = await asyncio.gather(*futures, return_exceptions=True)
    stop.set()
    await running

    assert isinstance(answers[1], TransferRefusedError)
    assert numbers(offered) == [1, 2, 1]
    assert await count(database, "commands") == 0


async def test_a_transfer_that_is_repeated_or_fenced_moves_nothing(
    database: Database, sessions: PostgresSessionStore, changes: PostgresChangeStore
) -> None:
    """Its command has its end already, or the session another owner."""
    await registered(database, OTHER)
    await changes.commit([finished("m")])
    answers = await changes.commit([handed(OTHER), handed(OTHER, "n", epoch=7)])

    assert [(a.applied, a.fenced, a.transferred) for a in answers] == [
        (False, False, False),
        (False, True, False),
    ]
    row = await sessions.get("s")
    assert row is not None
    assert (row.worker_id, row.epoch) == (WORKER, 1)


async def test_several_sessions_go_in_one_batch(
    database: Database, sessions: PostgresSessionStore, changes: PostgresChangeStore
) -> None:
    """To different workers, with changes of other sessions in between and a deletion before."""
    for name in (OTHER, "third"):
        await registered(database, name)
    for name in ("u", "v"):
        await sessions.create(session_row(name))
    answers = await changes.commit(
        [
            message(1),
            finished("d", session="v", delete=True),
            message(1, session="v"),
            handed("third", "a"),
            message(1, session="t"),
            handed(OTHER, "b", session="t"),
            handed(OTHER, "c", session="u"),
        ]
    )

    assert [answer.transferred for answer in answers] == [False] * 3 + [True, False, True, True]
    assert [row.session_id for row in rows_of(answers)] == ["v"]
    for name, owner in (("s", "third"), ("t", OTHER), ("u", OTHER)):
        row = await sessions.get(name)
        assert row is not None
        assert row.worker_id == owner


async def test_transfers_and_takeovers_never_overfill_a_worker(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """Four workers give to one that takes over at the same time; it ends up exactly full."""
    await registered(database, OTHER, capacity=7)
    givers = ["a", "b", "c", "d"]
    for name in givers:
        await registered(database, name)
        for n in range(3):
            await sessions.create(session_row(f"{name}{n}", worker_id=name))
    await registered(database)
    await expire(database)

    async def give(name: str, n: int) -> bool:
        store = PostgresChangeStore(database=database, worker_id=name)
        try:
            (answer,) = await store.commit([handed(OTHER, f"{name}{n}", session=f"{name}{n}")])
        except TransferRefusedError:
            return False
        return answer.transferred

    given = asyncio.gather(*(give(name, n) for n in range(3) for name in givers))
    taken = await asyncio.gather(*(sessions.take_over(OTHER, limit=1) for _ in range(4)))
    moved = sum(await given) + sum(map(len, taken))

    assert moved == 7
    assert len(await sessions.owned_by(OTHER)) == 7


async def test_nothing_arrives_after_a_drain_has_begun(
    database: Database, sessions: PostgresSessionStore, changes: PostgresChangeStore
) -> None:
    """It waits for a transfer that is under way: what is owned behind it is all there will be."""
    target = await registered(database, OTHER)
    silent = Change(session_id="s", epoch=1, transfer=Transfer(to_worker=OTHER))
    async with database.transaction("holding the events") as holder:
        await holder.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        giving = asyncio.create_task(changes.commit([silent]))
        await eventually(lambda: waiting(database, "UPDATE outbox"))
        draining = asyncio.create_task(target.drain())
        await eventually(lambda: waiting(database, "pg_advisory_xact_lock"))
        assert await target.renew()
        assert not draining.done()
    await draining
    assert [row.session_id for row in await sessions.owned_by(OTHER)] == ["s"]
    assert (await giving)[0].transferred
    with pytest.raises(TransferRefusedError):
        await changes.commit([handed(OTHER, session="t")])


async def test_a_transfer_contradicts_a_deletion_and_needs_an_owner(
    changes: PostgresChangeStore,
) -> None:
    """A fault in the worker is told."""
    with pytest.raises(ValueError, match="gives it away, not both"):
        await changes.commit([finished("m", delete=True, transfer=Transfer(to_worker=OTHER))])
    with pytest.raises(ValueError, match="without an epoch"):
        await changes.commit(
            [Change(session_id="s", epoch=None, transfer=Transfer(to_worker=OTHER))]
        )
