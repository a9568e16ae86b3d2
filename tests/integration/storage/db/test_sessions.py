"""Creation, look-up and ownership of sessions on a real PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway_contracts import Account, PairByCode
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresSessionStore,
    StatementRefusedError,
)
from gateway_worker.storage.db.changes.statements import DELETE_ROWS
from tests.integration.storage.db.support import (
    NOW,
    OTHER,
    WORKER,
    finished,
    message,
    numbers,
    rows_of,
    session_row,
    status,
    value,
    waiting,
)
from tests.support.eventually import eventually


async def test_what_is_created_is_found_again(sessions: PostgresSessionStore) -> None:
    """Every field, with epoch 1; odd characters included."""
    row = session_row(
        "new",
        desired=DesiredState.STOPPED,
        pairing=PairByCode(phone_number="+12025550100"),
        device_name="Shop “Ünïcode” \U0001f600",
        labels={"team": 'sales "eu"', "∅": ""},
        metadata={"customer": "№ 4711"},
        account=Account(jid="12025550100:7@s.whatsapp.net", push_name="Shop"),
        tenant_id="acme",
    )
    created = await sessions.create(row)

    assert created == replace(row, epoch=1)
    assert await sessions.get("new") == created
    assert await sessions.get("other") is None


async def test_an_id_is_taken_once(sessions: PostgresSessionStore) -> None:
    """By whoever is first; the others are told, and the row is the first one's."""
    answers = await asyncio.gather(
        *(sessions.create(session_row("new", worker_id=f"w{n}")) for n in range(8))
    )

    (winner,) = [row for row in answers if row is not None]
    assert await sessions.get("new") == winner


async def test_a_worker_finds_its_own_sessions_the_oldest_first(
    sessions: PostgresSessionStore,
) -> None:
    """By their creation, then by their ids; without those of others and of nobody."""
    for name, age, worker in (("b", 3, OTHER), ("a", 1, OTHER), ("d", 2, OTHER), ("c", 2, OTHER)):
        row = session_row(name, created_at=NOW - timedelta(days=age), worker_id=worker)
        await sessions.create(row)
    await sessions.create(session_row("free", worker_id=None))

    assert [row.session_id for row in await sessions.owned_by(OTHER)] == ["b", "c", "d", "a"]
    assert [row.session_id for row in await sessions.owned_by(WORKER)] == ["s", "t"]
    assert await sessions.owned_by("nobody") == []


async def test_a_claim_raises_the_epoch_each_time(sessions: PostgresSessionStore) -> None:
    """Of an owned session only its owner's, after a restart; of an unknown one nobody's."""
    again = await sessions.claim("s", WORKER)
    assert again is not None
    assert (again.epoch, again.worker_id) == (2, WORKER)
    assert await sessions.claim("s", OTHER) is None
    assert await sessions.claim("unknown", OTHER) is None
    assert await sessions.get("s") == again


async def test_of_many_claims_of_a_free_session_one_succeeds(
    sessions: PostgresSessionStore,
) -> None:
    """However close they come."""
    await sessions.create(session_row("free", worker_id=None))
    claims = await asyncio.gather(*(sessions.claim("free", f"w{n}") for n in range(8)))

    (winner,) = [row for row in claims if row is not None]
    assert winner.epoch == 2
    assert await sessions.get("free") == winner


async def test_a_claim_fences_off_what_is_still_on_its_way(
    database: Database, sessions: PostgresSessionStore, changes: PostgresChangeStore
) -> None:
    """Nothing of the life before is written: no message, no state, no end, no deletion."""
    await changes.commit([message(1)])
    await sessions.claim("s", WORKER)
    answers = await changes.commit(
        [message(2), status(), finished("c"), finished("d", delete=True), message(2, epoch=2)]
    )

    assert [answer.fenced for answer in answers] == [True, True, True, True, False]
    assert [row.outbox_id for row in rows_of(answers)] != []
    assert await value(database, "SELECT count(*) FROM commands") == 0
    assert await value(database, "SELECT last_sequence FROM sessions WHERE id = 's'") == 2


async def test_a_text_that_no_column_holds_is_refused(sessions: PostgresSessionStore) -> None:
    """In a column; in labels it is replaced."""
    with pytest.raises(StatementRefusedError, match="SQLSTATE 22021"):
        await sessions.create(session_row("new", device_name="a\x00b"))
    created = await sessions.create(session_row("new", labels={"k": "a\x00b"}))
    assert created is not None
    assert created.labels == {"k": "a\ufffdb"}


async def test_a_namesake_of_a_deleted_session_goes_on_counting(
    sessions: PostgresSessionStore, changes: PostgresChangeStore
) -> None:
    """Sequence and epoch, as often as the name is used; nobody's old number is ever above one."""
    for epoch in (1, 2, 3):
        answers = await changes.commit(
            [message(epoch, epoch=epoch), finished(f"d{epoch}", epoch=epoch, delete=True)]
        )
        assert numbers(rows_of(answers)) == [2 * epoch - 1, 2 * epoch]
        again = await sessions.create(session_row("s"))
        assert again is not None
        assert (again.epoch, again.first_epoch) == (epoch + 1, epoch + 1)
        assert await sessions.get("s") == again


async def test_what_a_deleted_session_still_has_on_its_way_is_not_its_namesake_s(
    sessions: PostgresSessionStore, changes: PostgresChangeStore
) -> None:
    """A worker that has slept through deletion and creation is fenced off as by any claim."""
    await sessions.claim("s", WORKER)
    await changes.commit([finished("d", epoch=2, delete=True)])
    await sessions.create(session_row("s"))

    answers = await changes.commit([message(1), message(2, epoch=2), message(3, epoch=3)])

    assert [answer.fenced for answer in answers] == [True, True, False]
    assert numbers(rows_of(answers)) == [2]


async def test_a_creation_that_waits_for_a_deletion_goes_on_from_its_end(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """What the deletion leaves is not there yet when the creation begins."""
    async with database.transaction("deleting slowly") as deletion:
        await deletion.execute("UPDATE sessions SET last_sequence = 7, epoch = 4 WHERE id = 's'")
        await deletion.execute(DELETE_ROWS, ["s"], [])
        creation = asyncio.create_task(sessions.create(session_row("s")))
        await eventually(lambda: waiting(database, "INSERT INTO sessions"))

    created = await creation
    assert created is not None
    assert created.epoch == 5
    assert await value(database, "SELECT last_sequence FROM sessions WHERE id = 's'") == 7
