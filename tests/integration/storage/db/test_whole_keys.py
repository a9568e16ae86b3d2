"""What two chats or two people share an id of stays apart; receipts find their command."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway_contracts import MessageReceipt, ReceiptStatus, parse_event
from gateway_worker.sessions.changes import Change, Committed, Direction
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresMessageStore,
)
from gateway_worker.storage.db.changes.store import Unsure
from tests.integration.storage.db.support import (
    CHAT,
    count,
    failed,
    finished,
    message,
    numbers,
    receipt,
    received,
    rows_of,
)

ANA, BEN, GROUP = "15550100001@s.whatsapp.net", "15550100002@s.whatsapp.net", "1-2@g.us"
LID = "900@lid"


def sent(command_id: str, number: int, *, chat: str = CHAT) -> Change:
    """Return the good end of a command that has sent a message."""
    row = message(number, chat=chat, direction=Direction.OUT, sender=CHAT, command_id=command_id)
    return finished(command_id, message=row.message)


def waiting(number: int) -> Change:
    """Return a receipt that may be about a send that is executing."""
    return receipt(number, waits=True)


def commands(answers: Sequence[Committed]) -> list[str | None]:
    """Return what the events name as their command, in the body and beside it."""
    events = [parse_event(row.body) for answer in answers for row in answer.rows]
    named = [event.correlationid for event in events if isinstance(event, MessageReceipt)]
    beside = [row.correlation_id for row in rows_of(answers) if "receipt" in row.type]
    assert named == beside
    return named


async def test_messages_of_two_chats_and_of_two_members_are_all_told(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Under one id, in one batch and in several."""
    first = [
        message(1, chat=ANA, sender=ANA),
        message(1, chat=GROUP, sender=ANA),
        message(1, chat=GROUP, sender=BEN),
    ]
    answers = [*await changes.commit(first), *await changes.commit([message(1), *first])]

    assert [answer.applied for answer in answers] == [True] * 4 + [False] * 3
    assert await count(database, "messages") == 4


async def test_a_message_whose_writers_number_became_known_is_the_same(
    changes: PostgresChangeStore,
) -> None:
    """It was told under the LID; WhatsApp or a spool brings it again."""
    await changes.commit(
        [message(1, chat=LID, sender=LID), message(2, chat=GROUP, sender=LID), message(3)]
    )
    again = await changes.commit(
        [
            message(1, chat=ANA, sender=ANA, sender_lid=LID),
            message(2, chat=GROUP, sender=ANA, sender_lid=LID),
            message(3, chat=ANA, sender=ANA, sender_lid=LID),
        ]
    )

    assert [answer.applied for answer in again] == [False, False, True]


async def test_receipts_of_two_chats_are_two(
    database: Database, changes: PostgresChangeStore
) -> None:
    """And each names the command of its own chat's message."""
    await changes.commit([sent("a", 1, chat=ANA), sent("b", 1, chat=BEN)])
    answers = await changes.commit(
        [
            receipt(1, chat=BEN, participant=BEN),
            receipt(1, chat=ANA, participant=ANA),
            receipt(1, chat=GROUP, participant=ANA),
            receipt(1, chat=ANA, participant=ANA),
        ]
    )

    assert [answer.applied for answer in answers] == [True, True, True, False]
    assert commands(answers) == ["b", "a", None]
    assert await count(database, "receipts") == 3


@pytest.mark.parametrize("order", ["before", "behind"])
async def test_a_receipt_finds_its_command_in_its_own_batch(
    changes: PostgresChangeStore, order: str
) -> None:
    """Whichever of the two comes first; the events stay in that order."""
    batch = [sent('c"\\', 1), waiting(1)]
    answers = await changes.commit(batch if order == "behind" else batch[::-1])

    assert all(answer.applied for answer in answers)
    assert commands(answers) == ['c"\\']
    assert numbers(rows_of(answers)) == [1, 2]


async def test_a_receipt_finds_its_command_under_the_persons_other_id(
    changes: PostgresChangeStore,
) -> None:
    """The message went to a LID whose number became known; in a group the chat is no person."""
    await changes.commit([sent("a", 1, chat=LID), sent("b", 2, chat=LID)])
    answers = await changes.commit(
        [
            receipt(1, chat=ANA, participant=ANA, participant_lid=LID),
            receipt(2, chat=LID, participant=LID),
            receipt(1, chat=GROUP, participant=ANA, participant_lid=LID),
            sent("c", 3, chat=LID),
            receipt(3, chat=ANA, participant=ANA, participant_lid=LID),
        ]
    )

    assert commands(answers) == ["a", "b", None, "c"]


async def test_a_receipt_waits_only_for_what_is_executing(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """Nothing of it is written until then; another session's send, or one that ended, is none."""
    await inbox.enter([received("t1", "t")])
    assert (await changes.commit([waiting(1)]))[0].applied
    await inbox.enter([received("c")])
    early = await changes.commit([waiting(2), message(5), receipt(3)])
    assert [(one.applied, one.early) for one in early] == [
        (False, True),
        (True, False),
        (True, False),
    ]
    assert await count(database, "receipts") == 2

    late = await changes.commit([sent("c", 2), waiting(2), waiting(4)])

    assert [one.applied for one in late] == [True, True, True]
    assert commands(late) == ["c", None]


async def test_a_receipt_of_a_send_that_failed_is_told_without_it(
    changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """Nobody knows what became of it, and the receipt is news all the same."""
    await inbox.enter([received("c")])
    assert (await changes.commit([waiting(1)]))[0].early
    await changes.commit([replace(failed("c", session="s"), epoch=1)])

    (answer,) = await changes.commit([waiting(1)])
    assert (answer.applied, commands([answer])) == (True, [None])


async def test_a_look_up_wants_the_chat(database: Database, changes: PostgresChangeStore) -> None:
    """Two customers' messages share an id; in a group two members' do."""
    await changes.commit(
        [
            message(1, chat=ANA, sender=ANA, words="private"),
            message(1, chat=GROUP, sender=ANA),
            message(1, chat=GROUP, sender=BEN),
        ]
    )
    history = PostgresMessageStore(database=database)

    assert await history.find("s", chats=[BEN], message_id="M1") == []
    assert await history.find("t", chats=[ANA], message_id="M1") == []
    assert [row.sender for row in await history.find("s", chats=[ANA], message_id="M1")] == [ANA]
    group = await history.find("s", chats=[GROUP, "x@lid"], message_id="M1")
    assert {row.sender for row in group} == {ANA, BEN}


async def test_a_lost_answer_keeps_the_command_of_a_receipt(
    changes: PostgresChangeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found in the outbox goes out as it was written."""
    await changes.commit([sent("a", 1)])
    batch = [receipt(1, ReceiptStatus.READ)]
    await changes.commit(batch)
    monkeypatch.setattr(changes, "_unsure", {id(batch[0]): Unsure(change=batch[0], after=0)})

    answers = await changes.commit(batch)
    assert commands(answers) == ["a"]
