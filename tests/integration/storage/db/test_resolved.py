"""Sends of which nobody knew what became of them, until somebody shows their message."""

from dataclasses import replace

import pytest

from gateway_contracts import (
    CommandFailed,
    CommandFailedData,
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
    StatusInfo,
    TextContent,
    parse_event,
)
from gateway_worker.commands.ports import Verdict
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.sessions.changes import Change, Committed, Direction, Outcome
from gateway_worker.sessions.chats import STATUS_CHAT
from gateway_worker.sessions.found_sends import FoundSend
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresMessageStore,
)
from gateway_worker.storage.db.uncertain import PostgresUncertainSends
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


def unnamed(command_id: str) -> Change:
    """Return the uncertain end of a send of which nobody knows the message."""
    error = ErrorBody.of(ErrorCode.UNCERTAIN, "so")
    event = CommandFailed(
        source=SOURCE,
        subject="s",
        correlationid=command_id,
        data=CommandFailedData(command_type=SEND, error=error),
    )
    outcome = Outcome(command_id=command_id, command_type=SEND, error=error)
    return Change(session_id="s", epoch=1, events=(event,), outcome=outcome)


def found(command_id: str, number: int, *, is_acknowledged: bool) -> Change:
    """Return what a former owner's disk says of a send."""
    sent = Sent(message_id=f"M{number}", chat=CHAT, timestamp=int(NOW.timestamp()))
    send = FoundSend(
        command_id=command_id,
        chat=CHAT,
        message_id=f"M{number}",
        sent=sent if is_acknowledged else None,
    )
    return found_change(send)


def found_change(send: FoundSend) -> Change:
    """Return what is committed of what a disk says."""
    event = send.resolved(source=SOURCE, session_id="s")
    return Change(session_id="s", epoch=1, events=(event,), found=send)


async def test_a_disk_that_is_back_says_that_whatsapp_had_answered(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """That is the command's good end; it is told once, and receipts name the command from then."""
    waiting = PostgresUncertainSends(database=database)
    await inbox.enter([received("c", epoch=1), received("d", epoch=1)])
    await changes.commit([unnamed("c")])
    before = await waiting.without_message("s")
    told_now = told(list(await changes.commit([found("c", 1, is_acknowledged=True)])))
    again = await changes.commit([found("c", 1, is_acknowledged=True)])
    later = told(list(await changes.commit([receipt(1)])))
    after = (await inbox.enter([received("c", epoch=1)]))[0]

    (resolved,) = told_now
    assert isinstance(resolved, CommandResolved)
    assert resolved.correlationid == "c"
    assert resolved.data.evidence is Evidence.ACKNOWLEDGEMENT
    assert resolved.data.result == SentInfo(message_id="M1", chat=CHAT, timestamp=NOW)
    assert rows_of(list(again)) == []
    assert [(type(event), event.correlationid) for event in later] == [(MessageReceipt, "c")]
    assert after.outcome is not None
    assert after.outcome.result == resolved.data.result
    assert set(before) == {"c", "d"}
    assert set(await waiting.without_message("s")) == {"d"}


async def test_a_disk_that_is_back_says_which_message_it_would_be(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """Nothing is told before a receipt shows the message, which may have come before."""
    waiting = PostgresUncertainSends(database=database)
    await inbox.enter([received("c", epoch=1), received("d", epoch=1)])
    await changes.commit([unnamed("c"), unnamed("d"), receipt(2)])
    nothing = told(list(await changes.commit([found("c", 1, is_acknowledged=False)])))
    at_once = told(list(await changes.commit([found("d", 2, is_acknowledged=False)])))
    later = told(list(await changes.commit([receipt(1)])))
    known = (await inbox.enter([received("c", epoch=1)]))[0]

    assert nothing == []
    assert [(type(event), event.correlationid) for event in at_once] == [(CommandResolved, "d")]
    assert [(type(event), event.correlationid) for event in later] == [
        (CommandResolved, "c"),
        (MessageReceipt, "c"),
    ]
    assert known.outcome is not None
    assert known.outcome.error is None
    assert await waiting.without_message("s") == []


@pytest.mark.parametrize("is_acknowledged", [True, False])
async def test_what_a_disk_says_of_a_run_is_kept_while_the_command_has_no_end(
    changes: PostgresChangeStore, inbox: PostgresInboxStore, *, is_acknowledged: bool
) -> None:
    """Whoever takes it up next knows it: not only who was told, who may be gone by then."""
    await inbox.enter([received("c", epoch=1), received("d", epoch=1)])
    change = found("c", 1, is_acknowledged=is_acknowledged)
    told_now = await changes.commit([change])
    first, other = await inbox.enter([received("c", epoch=1), received("d", epoch=1)])
    await inbox.suspend("c", session_id="s", stays_interrupted=True)
    again = (await inbox.enter([received("c", epoch=1)]))[0]

    assert rows_of(list(told_now)) == []
    assert (first.found, other.found, again.found) == (change.found, None, change.found)
    assert {first.verdict, other.verdict, again.verdict} == {Verdict.INTERRUPTED}


async def test_a_disk_that_tells_right_before_the_end_resolves_it(
    changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """Whoever ends the command had looked before that: it is resolved in the same transaction."""
    await inbox.enter([received(one, epoch=1, ref=f"ref-{one}") for one in ("c", "d")])
    await changes.commit([found("c", 1, is_acknowledged=True)])
    events = told(list(await changes.commit([unnamed("c"), unnamed("d")])))
    ended = (await inbox.enter([received("c", epoch=1)]))[0]
    later = told(list(await changes.commit([receipt(1)])))

    assert [(type(event), event.correlationid) for event in events] == [
        (CommandFailed, "c"),
        (CommandResolved, "c"),
        (CommandFailed, "d"),
    ]
    resolved, receipted = events[1], later[0]
    assert isinstance(resolved, CommandResolved)
    assert resolved.data.evidence is Evidence.ACKNOWLEDGEMENT
    assert resolved.data.client_ref == "ref-c"
    assert ended.outcome is not None
    assert ended.outcome.result == resolved.data.result
    assert isinstance(receipted, MessageReceipt)
    assert (receipted.correlationid, receipted.data.client_ref) == ("c", "ref-c")


@pytest.mark.parametrize("comes_first", [True, False])
async def test_a_disk_that_names_the_message_right_before_the_end(
    changes: PostgresChangeStore, inbox: PostgresInboxStore, *, comes_first: bool
) -> None:
    """Then what shows the message resolves it, whether it is here already or comes later."""
    await inbox.enter([received("c", epoch=1, ref="ref-c")])
    await changes.commit([found("c", 1, is_acknowledged=False), *[receipt(1)] * comes_first])
    events = told(list(await changes.commit([unnamed("c"), receipt(1, ReceiptStatus.READ)])))

    assert [type(event) for event in events] == [CommandFailed, CommandResolved, MessageReceipt]
    _, resolved, receipted = events
    assert isinstance(resolved, CommandResolved)
    assert (resolved.data.evidence, resolved.data.client_ref) == (Evidence.RECEIPT, "ref-c")
    assert isinstance(receipted, MessageReceipt)
    assert (receipted.correlationid, receipted.data.client_ref) == ("c", "ref-c")


@pytest.mark.parametrize("shows", [receipt(1), shown(1)], ids=["receipt", "own device"])
@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_what_shows_the_message_was_here_before_the_end(
    changes: PostgresChangeStore, *, shows: Change, is_one_batch: bool
) -> None:
    """It was told without a command, and the uncertain end is resolved at once, after it."""
    batches = [[shows, uncertain("c", 1)]] if is_one_batch else [[shows], [uncertain("c", 1)]]
    events = [event for each in batches for event in told(list(await changes.commit(each)))]

    first, *ends = events
    assert first.correlationid is None
    assert [(type(event), event.correlationid) for event in ends] == [
        (CommandFailed, "c"),
        (CommandResolved, "c"),
    ]


async def test_in_the_batch_of_the_uncertain_end_another_device_shows_it(
    changes: PostgresChangeStore,
) -> None:
    """It names the command, as it does later on."""
    events = told(list(await changes.commit([uncertain("c", 1), shown(1)])))

    assert [(type(event), event.correlationid) for event in events] == [
        (CommandFailed, "c"),
        (CommandResolved, "c"),
        (MessageSent, "c"),
    ]


@pytest.mark.parametrize("command_type", ["wa.status.post.v1", "wa.status.delete.v1"])
async def test_a_status_post_that_a_disk_knows(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore, command_type: str
) -> None:
    """Its end is that of a status post: at once, or with the receipt of who has seen it."""
    waiting = PostgresUncertainSends(database=database)
    ids = ("c", "d")
    await inbox.enter([replace(received(one, epoch=1), command_type=command_type) for one in ids])
    before = await waiting.without_message("s")
    await changes.commit([unnamed(one) for one in ids])
    sent = Sent(message_id="M1", chat=STATUS_CHAT, timestamp=int(NOW.timestamp()))
    answered = FoundSend(command_id="c", chat=STATUS_CHAT, message_id="M1", sent=sent)
    named = FoundSend(command_id="d", chat=STATUS_CHAT, message_id="M2")
    at_once = told(list(await changes.commit([found_change(answered), found_change(named)])))
    seen = receipt(2, ReceiptStatus.READ, chat=STATUS_CHAT, participant=CHAT)
    later = told(list(await changes.commit([seen])))

    assert set(before) == set(ids)
    resolved = [event for event in (*at_once, *later) if isinstance(event, CommandResolved)]
    assert [event.correlationid for event in resolved] == list(ids)
    assert {event.data.command_type for event in resolved} == {command_type}
    for number, event in enumerate(resolved, 1):
        assert isinstance(event.data.result, StatusInfo)
        assert (event.data.result.message_id, event.data.result.chat) == (f"M{number}", STATUS_CHAT)
    assert later[-1].correlationid == "d"


async def test_a_command_that_has_another_end_keeps_it(
    changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """Whatever a disk says that was away meanwhile."""
    await inbox.enter([received("c", epoch=1)])
    answers = await changes.commit(
        [found("c", 1, is_acknowledged=True), found("x", 2, is_acknowledged=True)]
    )
    entry = (await inbox.enter([received("c", epoch=1)]))[0]

    assert rows_of(list(answers)) == []
    assert entry.verdict is Verdict.INTERRUPTED or entry.outcome is None
