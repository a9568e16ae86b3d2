"""What comes under a person's other id finds its message, unless that is known to be another's.

A host whose store is older tells receipts under the LID of a message that went to the number.
"""

from dataclasses import replace
from typing import Any

import pytest

from gateway_contracts import (
    Account,
    ChatMerged,
    CommandFailed,
    CommandResolved,
    CommandSucceeded,
    CommandSucceededData,
    Evidence,
    MessageData,
    MessageReceipt,
    MessageReceived,
    MessageSent,
    Participant,
    ReceiptStatus,
    SentInfo,
    SessionState,
    TextContent,
    parse_event,
)
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.sessions.changes import Change, Direction
from gateway_worker.sessions.chats import STATUS_CHAT
from gateway_worker.sessions.found_sends import FoundSend
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresInboxStore
from gateway_worker.storage.db.history import PostgresHistoryStore
from tests.integration.storage.db.support import (
    CHAT,
    NOW,
    SEND,
    SOURCE,
    finished,
    message,
    receipt,
    received,
    rows_of,
    status,
    uncertain,
)
from tests.integration.storage.db.test_resolved import found, found_change, unnamed

LID, OTHER_LID = "100000000000002@lid", "100000000000009@lid"
BEN, WRITTEN = "12025550103@s.whatsapp.net", "120255550102@s.whatsapp.net"
ME, MY_LID = "12025550199@s.whatsapp.net", "100000000000099@lid"
CREW = "120363000000000001@g.us"
LINKED = status(
    SessionState.CONNECTED,
    account=Account(
        jid=ME.replace("@", ":3@"), lid=MY_LID.replace("@", ":3@"), phone_number="+12025550199"
    ),
)


def confirms(
    chat: str, *, by: str | None = None, lid: str | None = None, read: bool = False, **row: Any
) -> Change:
    """Return a receipt of M1; direct, unless it is by a member of the chat."""
    change = receipt(
        1,
        ReceiptStatus.READ if read else ReceiptStatus.DELIVERED,
        chat=chat,
        participant=by or chat,
        participant_lid=lid,
        **row,
    )
    (event,) = change.events
    assert isinstance(event, MessageReceipt)
    data = event.data.model_copy(update={"chat": chat, "chat_lid": lid})
    return replace(change, events=(event.model_copy(update={"data": data}),))


def sent(chat: str, *, lid: str | None = None, written: str | None = None) -> Change:
    """Return the good end of the command `c`, which has sent M1."""
    result = SentInfo(message_id="M1", chat=chat, chat_lid=lid, timestamp=NOW)
    data = CommandSucceededData(command_type=SEND, result=result)
    event = CommandSucceeded(source=SOURCE, subject="s", correlationid="c", data=data)
    row = message(
        1,
        chat=chat,
        direction=Direction.OUT,
        sender="me:1@s.whatsapp.net",
        command_id="c",
        asked=written,
    ).message
    return replace(finished("c"), events=(event,), message=row)


def wrote(chat: str, lid: str) -> Change:
    """Return a message whose writer is known by both ids."""
    change = message(5, chat=chat)
    (event,) = change.events
    assert isinstance(event, MessageReceived)
    data = event.data.model_copy(update={"chat": chat, "chat_lid": lid})
    return replace(change, events=(event.model_copy(update={"data": data}),))


async def told(changes: PostgresChangeStore, *batch: Change) -> list[tuple[type, str | None]]:
    """Commit changes; returns what is told, and which command each event names."""
    events = [parse_event(row.body) for row in rows_of(await changes.commit(batch))]
    return [(type(event), event.correlationid) for event in events]


@pytest.mark.parametrize(
    ("before", "message", "confirmed"),
    [
        ((), sent(CHAT), confirms(LID)),
        ((), sent(CHAT), confirms(LID, lid=LID)),
        ((), sent(LID), confirms(CHAT)),
        ((wrote(CHAT, LID),), sent(CHAT), confirms(LID)),
        ((wrote(CHAT, LID),), sent(LID), confirms(CHAT)),
        ((wrote(CHAT, LID),), sent(CHAT, written=WRITTEN), confirms(LID)),
        ((LINKED,), sent(CHAT), confirms(LID)),
        ((LINKED,), sent(ME), confirms(MY_LID)),
    ],
    ids=["to a number", "said twice", "to a LID", "known", "known back", "two numbers", "", "me"],
)
async def test_it_names_the_command(
    changes: PostgresChangeStore,
    inbox: PostgresInboxStore,
    before: tuple[Change, ...],
    message: Change,
    confirmed: Change,
) -> None:
    """Also while another send of the session is executing, which it does not wait for."""
    await inbox.enter([received("c", epoch=1), received("d", epoch=1)])
    await changes.commit([*before, message])
    assert confirmed.receipt is not None
    patient = replace(confirmed, receipt=replace(confirmed.receipt, waits=True))

    assert await told(changes, patient) == [(MessageReceipt, "c")]


@pytest.mark.parametrize(
    ("before", "message", "confirmed"),
    [
        ((wrote(CHAT, OTHER_LID),), sent(CHAT), confirms(LID)),
        ((wrote(BEN, LID),), sent(CHAT), confirms(LID)),
        ((wrote(BEN, LID),), sent(LID), confirms(CHAT)),
        ((wrote(CHAT, OTHER_LID),), sent(LID), confirms(CHAT)),
        ((), sent(CHAT, lid=OTHER_LID), confirms(LID)),
        ((), sent(LID), confirms(CHAT, lid=OTHER_LID)),
        ((LINKED,), sent(ME), confirms(LID)),
        ((LINKED,), sent(CHAT), confirms(MY_LID)),
        ((), sent(CHAT), confirms(BEN)),
        ((), sent(LID), confirms(OTHER_LID)),
        ((), sent(CHAT), confirms(CREW, by=LID)),
        ((), sent(CREW), confirms(LID)),
        ((), sent(CHAT), confirms(STATUS_CHAT, by=LID)),
        ((), sent(STATUS_CHAT), confirms(LID)),
        ((finished("c"),), message(1), confirms(LID)),
    ],
    ids=[
        "whose number has another LID",
        "whose LID has another number",
        "the same of a LID",
        "and that of a LID",
        "WhatsApp has said another LID",
        "it says another LID itself",
        "not my own LID",
        "my own LID",
        "another number",
        "another LID",
        "a group's",
        "in a group",
        "of a status post",
        "of one itself",
        "not sent, but received",
    ],
)
async def test_a_strangers_names_none(
    changes: PostgresChangeStore,
    before: tuple[Change, ...],
    message: Change,
    confirmed: Change,
) -> None:
    """Whichever side says so, wherever it is known from; it is told all the same."""
    await changes.commit([*before, message])

    assert await told(changes, confirmed) == [(MessageReceipt, None)]


async def test_what_comes_with_it_counts(changes: PostgresChangeStore) -> None:
    """A message in the same batch shows whose LID it is."""
    await changes.commit([sent(CHAT)])

    assert (MessageReceipt, None) in await told(changes, confirms(LID), wrote(BEN, LID))


async def test_what_only_the_outcome_knows_counts(
    changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """A former owner's disk has told WhatsApp's answer, with the LID; no chat was named by that."""
    await inbox.enter([received("c", epoch=1)])
    await changes.commit([unnamed("c")])
    answer = Sent(message_id="M1", chat=CHAT, chat_lid=LID, timestamp=int(NOW.timestamp()))
    send = FoundSend(command_id="c", chat=CHAT, message_id="M1", sent=answer)
    await changes.commit([found_change(send)])

    assert await told(changes, confirms(OTHER_LID), confirms(LID)) == [
        (MessageReceipt, None),
        (MessageReceipt, "c"),
    ]


async def test_with_the_end_of_its_send(
    changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """In one batch: behind it, it names the command; before it, it waits as any other does."""
    await inbox.enter([received("c", epoch=1)])
    early, end, behind = await changes.commit(
        [confirms(LID, waits=True), sent(CHAT), confirms(LID, read=True)]
    )

    assert (early.early, end.applied, behind.applied) == (True, True, True)
    assert [row.correlation_id for row in behind.rows] == ["c"]
    assert await told(changes, confirms(LID, waits=True)) == [(MessageReceipt, "c")]


async def test_it_resolves_an_uncertain_send_that_a_disk_has_named(
    database: Database, changes: PostgresChangeStore, inbox: PostgresInboxStore
) -> None:
    """That the two are one is not taken for known by that: only a message merges their chats."""
    await inbox.enter([received("c", epoch=1)])
    await changes.commit([unnamed("c")])
    await changes.commit([found("c", 1, is_acknowledged=False)])
    strangers = await told(changes, confirms(BEN), confirms(CREW, by=LID))
    answers = await changes.commit([confirms(LID), confirms(LID, read=True)])
    events = [parse_event(row.body) for row in rows_of(answers)]

    assert strangers == [(MessageReceipt, None)] * 2
    assert [(type(event), event.correlationid) for event in events] == [
        (CommandResolved, "c"),
        (MessageReceipt, "c"),
        (MessageReceipt, "c"),
    ]
    assert isinstance(events[0], CommandResolved)
    assert events[0].data.evidence is Evidence.RECEIPT
    assert isinstance(events[0].data.result, SentInfo)
    assert (events[0].data.result.message_id, events[0].data.result.chat) == ("M1", CHAT)
    assert await PostgresHistoryStore(database=database).ids_of("s", LID) == (LID,)


@pytest.mark.parametrize(
    ("before", "confirmed", "is_resolved"),
    [
        ((), confirms(CHAT), True),
        ((), confirms(LID), True),
        ((wrote(CHAT, LID),), confirms(LID), True),
        ((wrote(BEN, LID),), confirms(LID), False),
        ((wrote(CHAT, OTHER_LID),), confirms(LID), False),
        ((), confirms(BEN), False),
        ((), confirms(CREW, by=CHAT), False),
    ],
    ids=["same", "LID", "known", "another number", "another LID", "stranger", "group"],
)
async def test_a_disk_names_a_send_whose_receipt_was_here_before(
    changes: PostgresChangeStore,
    inbox: PostgresInboxStore,
    before: tuple[Change, ...],
    confirmed: Change,
    *,
    is_resolved: bool,
) -> None:
    """The same holds for it."""
    await inbox.enter([received("c", epoch=1)])
    await changes.commit([*before, unnamed("c"), confirmed])
    events = await told(changes, found("c", 1, is_acknowledged=False))

    assert events == [(CommandResolved, "c")] * is_resolved


def shows(chat: str) -> Change:
    """Return M1 as another device of the account shows it, under this id of its recipient."""
    data = MessageData(
        message_id="M1",
        chat=chat,
        sender=Participant(jid=ME),
        timestamp=NOW,
        content=TextContent(text="hi"),
    )
    change = message(1, chat=chat, direction=Direction.OUT, sender=ME)
    return replace(change, events=(MessageSent(source=SOURCE, subject="s", data=data),))


@pytest.mark.parametrize("is_behind", [True, False])
@pytest.mark.parametrize(
    ("before", "chat", "is_its"),
    [
        ((), CHAT, True),
        ((), LID, True),
        ((wrote(CHAT, LID),), LID, True),
        ((wrote(BEN, LID),), LID, False),
        ((wrote(CHAT, OTHER_LID),), LID, False),
        ((LINKED,), MY_LID, False),
        ((), BEN, False),
        ((), CREW, False),
    ],
    ids=["same", "LID", "known", "another number", "another LID", "me", "stranger", "group"],
)
async def test_another_device_shows_what_an_uncertain_send_has_sent(
    changes: PostgresChangeStore,
    before: tuple[Change, ...],
    chat: str,
    *,
    is_its: bool,
    is_behind: bool,
) -> None:
    """Under either id of the person, after the command's end or before it; told all the same."""
    await changes.commit(before)
    batches = (uncertain("c", 1), shows(chat)) if is_behind else (shows(chat), uncertain("c", 1))
    events = [event for each in batches for event in await told(changes, each)]

    resolved = [(CommandResolved, "c")] * is_its
    is_named = "c" if is_its and is_behind else None
    shown, end = (MessageSent, is_named), (CommandFailed, "c")
    assert [event for event in events if event[0] is not ChatMerged] == (
        [end, *resolved, shown] if is_behind else [shown, end, *resolved]
    )
