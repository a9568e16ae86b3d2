"""Sends of which nobody knew what became of them, until somebody shows their message."""

from dataclasses import replace

from gateway_contracts import (
    CommandFailed,
    CommandResolved,
    ErrorBody,
    ErrorCode,
    Event,
    Evidence,
    MessageData,
    MessageReceipt,
    MessageSent,
    Participant,
    ReceiptStatus,
    SentInfo,
    TextContent,
    parse_event,
)
from gateway_worker.commands.ports import Verdict
from gateway_worker.sessions.changes import Change, Committed, Direction, Outcome
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresMessageStore,
)
from tests.integration.storage.db.support import (
    CHAT,
    NOW,
    SEND,
    SOURCE,
    message,
    numbers,
    receipt,
    received,
    rows_of,
    uncertain,
)


def shown(number: int) -> Change:
    """Return the arrival of a message of the account's own, as another device shows it."""
    me = "me@s.whatsapp.net"
    content = TextContent(text="hi")
    data = MessageData(
        message_id=f"M{number}",
        chat=CHAT,
        sender=Participant(jid=me),
        timestamp=NOW,
        content=content,
    )
    change = message(number, direction=Direction.OUT, sender=me)
    return replace(change, events=(MessageSent(source=SOURCE, subject="s", data=data),))


def told(answers: list[Committed]) -> list[Event]:
    """Return the events of a commit, in order."""
    return [parse_event(row.body) for row in rows_of(answers)]


async def test_a_receipt_resolves_an_uncertain_send(
    changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """Once, right before the receipt; a repeat of the command gets its good end from then on."""
    await inbox.enter([received("c", epoch=1)])
    await changes.commit([uncertain("c", 1)])
    before = (await inbox.enter([received("c", epoch=1)]))[0]
    answers = list(await changes.commit([receipt(1), receipt(1, ReceiptStatus.READ), receipt(2)]))
    after = (await inbox.enter([received("c", epoch=1)]))[0]

    resolved, first, *others = told(answers)
    assert isinstance(resolved, CommandResolved)
    assert isinstance(first, MessageReceipt)
    assert resolved.correlationid == first.correlationid == "c"
    assert resolved.data.client_ref == first.data.client_ref == "ref-c"
    assert resolved.data.evidence is Evidence.RECEIPT
    result = SentInfo(message_id="M1", chat=CHAT, timestamp=NOW)
    assert resolved.data.result == result
    assert not any(isinstance(other, CommandResolved) for other in others)
    assert numbers(rows_of(answers)) == [2, 3, 4, 5]
    assert (before.verdict, after.verdict) == (Verdict.FINISHED, Verdict.FINISHED)
    assert before.outcome is not None
    assert before.outcome.error is not None
    assert (before.outcome.message_id, before.outcome.chat) == ("M1", CHAT)
    assert after.outcome is not None
    assert after.outcome.result == result


async def test_in_the_batch_of_the_uncertain_end(changes: PostgresChangeStore) -> None:
    """The receipt may be right behind it."""
    events = told(list(await changes.commit([uncertain("c", 1), receipt(1)])))

    assert [type(event) for event in events] == [CommandFailed, CommandResolved, MessageReceipt]


async def test_another_device_shows_the_message(changes: PostgresChangeStore) -> None:
    """It is told as sent, with the command and its name for it; other ones have neither."""
    await changes.commit([uncertain("c", 1)])
    events = told(list(await changes.commit([shown(1), shown(2)])))

    resolved, first, second = events
    assert isinstance(resolved, CommandResolved)
    assert isinstance(first, MessageSent)
    assert isinstance(second, MessageSent)
    assert resolved.data.evidence is Evidence.OWN_DEVICE
    assert (first.correlationid, first.data.client_ref) == ("c", "ref-c")
    assert (second.correlationid, second.data.client_ref) == (None, None)


async def test_who_may_have_been_written_to_is_no_contact_yet(
    database: Database, changes: PostgresChangeStore
) -> None:
    """As little as nobody."""
    history = PostgresMessageStore(database=database)
    await changes.commit([uncertain("c", 1)])

    assert not await history.knows("s", chats=[CHAT])


async def test_a_command_that_was_executed_once_more_stays_as_it_ended(
    changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """Nobody waits any more for what became of its first run."""
    await inbox.enter([received("c", epoch=1)])
    await changes.commit([uncertain("c", 1)])
    await inbox.reopen(
        "c",
        session_id="s",
        states=[
            Outcome(
                command_id="c", command_type=SEND, error=ErrorBody.of(ErrorCode.UNCERTAIN)
            ).state
        ],
    )
    events = told(list(await changes.commit([receipt(1)])))

    assert [type(event) for event in events] == [MessageReceipt]
