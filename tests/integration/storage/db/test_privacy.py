"""What is stored of one person: found in every table, exported in order, and erased."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway_contracts import (
    CommandSucceeded,
    CommandSucceededData,
    ContactsChecked,
    MessageHistoryData,
    ReceiptStatus,
    SentInfo,
)
from gateway_contracts.commands.contact import CheckedNumber
from gateway_worker.history.erasing import Eraser
from gateway_worker.history.person import ids_of, numbers_of
from gateway_worker.history.reading import History
from gateway_worker.sessions.changes import Change, Outcome, ReadMark, TimerRow
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresOutboxStore
from gateway_worker.storage.db.erasing import PostgresErasureStore
from gateway_worker.storage.db.exporting import PostgresPersonStore
from gateway_worker.storage.db.history import PostgresHistoryStore
from tests.integration.storage.db.support import (
    CHAT,
    NOW,
    SEND,
    SOURCE,
    WORKER,
    count,
    message,
    receipt,
    rows_of,
    value,
)
from tests.integration.storage.db.test_history import GROUP, LID, said, sent
from tests.support.databases import execute
from tests.support.ports import UnaskedRemoval

BEN = "112025550102@s.whatsapp.net"
"""Somebody else, whose number ends like that of the person."""


@pytest.fixture
def erasure(database: Database) -> PostgresErasureStore:
    """What erases."""
    return PostgresErasureStore(database=database)


def ended(command_id: str, command_type: str, result: Any) -> Change:
    """Return the good end of a command with a result."""
    data = CommandSucceededData(command_type=command_type, result=result)
    event = CommandSucceeded(source=SOURCE, subject="s", correlationid=command_id, data=data)
    outcome = Outcome(command_id=command_id, command_type=command_type, result=result)
    return Change(session_id="s", epoch=1, events=(event,), outcome=outcome)


def info(chat: str) -> SentInfo:
    """Return what a send to a chat has come to."""
    return SentInfo(message_id="M1", chat=chat, timestamp=NOW)


async def test_all_ids_of_a_person_are_found(
    database: Database, changes: PostgresChangeStore
) -> None:
    """By whichever it is asked for; texts are searched for their digits."""
    await changes.commit([said(1, chat_lid=LID), said(2, chat=BEN)])
    store = PostgresHistoryStore(database=database)

    for name in (CHAT, LID, "+12025550102"):
        ids = await ids_of(store, "s", name, directory=None)
        assert set(ids) == {CHAT, LID}
    assert set(numbers_of([CHAT, LID, GROUP, "me@x"])) == {
        "12025550102",
        "100000000000102",
        "120363025550100001",
    }


async def test_messages_and_receipts_go(
    database: Database, changes: PostgresChangeStore, erasure: PostgresErasureStore
) -> None:
    """Those of the chat, and what the person wrote and confirmed in groups; nobody else's."""
    await changes.commit(
        [
            said(1),
            sent(2),
            said(3, chat=GROUP),
            said(4, chat=GROUP, sender=BEN),
            said(5, chat=BEN, sender=BEN),
        ]
    )
    await changes.commit(
        [
            receipt(2),
            receipt(9, ReceiptStatus.READ, chat=GROUP),
            receipt(9, chat=GROUP, participant=BEN),
        ]
    )

    assert await erasure.messages("s", [CHAT, LID], limit=2) == 2
    assert await erasure.messages("s", [CHAT, LID], limit=2) == 1
    assert await erasure.receipts("s", [CHAT, LID], limit=10) == 2

    history = History(store=PostgresHistoryStore(database=database))
    left = (await history.messages("s", MessageHistoryData())).messages
    assert sorted(one.message_id for one in left) == ["M4", "M5"]
    assert await count(database, "receipts") == 1
    assert await erasure.messages("s", [CHAT, LID], limit=10) == 0


async def test_what_waits_for_a_person_is_called_off_first(
    database: Database, changes: PostgresChangeStore, erasure: PostgresErasureStore
) -> None:
    """What would be sent while the rest is erased would be stored anew."""
    await changes.commit([said(1, chat_lid=LID)])
    history = PostgresHistoryStore(database=database)
    eraser = Eraser(history=history, rows=erasure, objects=UnaskedRemoval())
    seen: list[tuple[set[str], int]] = []

    async def check() -> None:
        """Go on."""

    async def call_off(ids: Sequence[str]) -> None:
        seen.append((set(ids), await count(database, "messages")))

    erased = await eraser.erase("s", CHAT, directory=None, check=check, call_off=call_off)

    assert seen == [({CHAT, LID}, 1)]
    assert erased.counts.messages == 1
    assert await count(database, "messages") == 0


async def test_outcomes_keep_their_form(
    database: Database, changes: PostgresChangeStore, erasure: PostgresErasureStore
) -> None:
    """A repeat of a send is still answered; what was asked about the person is not kept."""
    checked = ContactsChecked(
        contacts=(CheckedNumber(number="12025550102", on_whatsapp=True, jid=CHAT),)
    )
    await changes.commit(
        [
            ended("c1", SEND, info(CHAT)),
            ended("c2", SEND, info(BEN)),
            ended("c3", "wa.contact.check.v1", checked),
        ]
    )

    number = ["12025550102"]
    first, place = await erasure.outcomes_of("s", number, after=None, limit=2)
    assert first == ["c1"]
    rest, place = await erasure.outcomes_of("s", number, after=place, limit=2)
    assert (rest, place) == (["c3"], None)
    assert await erasure.outcomes("s", number, [*first, *rest]) == 2

    outcomes = await value(database, "SELECT jsonb_object_agg(id, outcome)::text FROM commands")
    stored = json.loads(outcomes)
    assert stored["c3"] == {}
    assert stored["c2"]["result"]["chat"] == BEN
    again = SentInfo.model_validate(stored["c1"]["result"])
    assert (again.message_id, again.chat) == ("M1", "10000000000@s.whatsapp.net")
    assert await erasure.outcomes_of("s", number, after=None, limit=9) == ([], None)


async def test_outcomes_of_a_tenant_are_found_by_their_ids(
    database: Database, database_url: str, erasure: PostgresErasureStore
) -> None:
    """They are stored under keys with the tenant's name."""
    await execute(
        database_url,
        f"""INSERT INTO commands (id, session_id, type, state, worker_id, attempts, outcome)
            VALUES ('acme b/1', 'acme.s', '{SEND}', 'succeeded', 'w', 1,
                '{{"chat": "{CHAT}"}}')""",
    )
    number = ["12025550102"]
    assert await erasure.outcomes_of("acme.s", number, after=None, limit=9) == (["b/1"], None)
    assert await erasure.outcomes("acme.s", number, ["b/1"]) == 1
    assert await erasure.outcomes_of("acme.s", number, after=None, limit=9) == ([], None)


async def test_stored_events_go(
    database: Database, changes: PostgresChangeStore, erasure: PostgresErasureStore
) -> None:
    """Those that are published at once, the others as soon as they are."""
    outbox = PostgresOutboxStore(database=database, worker_id=WORKER)
    rows = rows_of(await changes.commit([said(1), ended("c", SEND, info(BEN)), said(2)]))
    await outbox.mark_published([row.outbox_id for row in rows[:2]])

    first = await erasure.events("s", ["12025550102"], after=0, limit=2)
    assert first == (1, rows[1].outbox_id)
    assert await erasure.events("s", ["12025550102"], after=rows[1].outbox_id, limit=2) == (1, None)

    assert await count(database, "outbox") == 2
    await outbox.mark_published([rows[2].outbox_id])
    left = await value(database, "SELECT min(id) FROM outbox")
    assert (await count(database, "outbox"), left) == (1, rows[1].outbox_id)


async def test_an_object_goes_with_its_last_message(
    database: Database,
    database_url: str,
    changes: PostgresChangeStore,
    erasure: PostgresErasureStore,
) -> None:
    """One that somebody else has sent, too, stays."""
    await changes.commit([said(3, chat=GROUP)])
    await execute(
        database_url,
        f"""INSERT INTO media (session_id, media_id, message_id, chat, state, media, sha256,
                reference)
            VALUES ('s', 'f1', 'M1', '{CHAT}', 'ready', '{{}}', 'a', ''),
                ('s', 'f2', 'M2', '{CHAT}', 'ready', '{{}}', 'a', ''),
                ('s', 'f3', 'M3', '{GROUP}', 'ready', '{{}}', 'b', ''),
                ('s', 'f4', 'M4', '{BEN}', 'ready', '{{}}', 'b', ''),
                ('s', 'f5', 'M5', '{CHAT}', 'pending', '{{}}', NULL, '')""",
    )

    files = await erasure.files("s", [CHAT, LID])

    assert {one.media_id: one.is_alone for one in files if one.sha256} == {
        "f1": True,
        "f2": True,
        "f3": False,
    }
    await erasure.forget_files("s", [one.media_id for one in files])
    assert await value(database, "SELECT string_agg(media_id, ',') FROM media") == "f4"


async def test_chats_are_forgotten_with_the_command(
    database: Database, changes: PostgresChangeStore, erasure: PostgresErasureStore
) -> None:
    """What the person writes afterwards begins a chat as anybody's does."""
    await changes.commit([said(1, chat_lid=LID), said(2, chat=BEN)])
    timer = TimerRow(chat=CHAT, seconds=60, set_at=NOW)
    read = ReadMark(chat=CHAT, message_ids=("M1",), at=NOW)
    await changes.commit([Change(session_id="s", epoch=1, timer=timer, read=read)])
    assert await erasure.chats("s", [CHAT, LID]) == 2

    await changes.commit([Change(session_id="s", epoch=1, forget=(CHAT, LID))])

    assert await value(database, "SELECT string_agg(chat, ',') FROM chats") == BEN
    assert await count(database, "chat_timers") == 0
    assert await count(database, "chat_reads") == 0
    (row,) = rows_of(await changes.commit([message(7, chat=CHAT)]))
    assert json.loads(row.body)["data"]["chat_id"] == CHAT
    assert await erasure.chats("s", [CHAT, LID]) == 1


async def test_an_export_has_all_in_order(database: Database, changes: PostgresChangeStore) -> None:
    """Page after page, with what was confirmed."""
    await changes.commit([said(1), sent(2), said(3, chat=GROUP), said(5, chat=BEN, sender=BEN)])
    await changes.commit([receipt(2), receipt(3, chat=GROUP, participant=BEN)])
    people = PostgresPersonStore(database=database)

    first = await people.page("s", [CHAT, LID], after=None, limit=2)
    assert len(first) == 2
    assert {row.message_id for row in first} < {"M1", "M2", "M3"}
    told = await people.receipts("s", [CHAT, LID], ["M2", "M3"])
    assert [(one["message_id"], one["status"]) for one in told] == [("M2", "delivered")]
