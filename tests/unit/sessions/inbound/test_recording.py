"""What arrives is acknowledged to the host's spool once it is committed, and never before."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gateway_contracts import (
    MessageReceived,
    MessageSent,
    MessageUndecryptable,
    ReceiptStatus,
    TextContent,
    UndecryptableReason,
    parse_event,
)
from gateway_contracts.events import Participant
from gateway_worker.host_protocol.layout import REFUSED_NAME
from gateway_worker.sessions.changes import Change, Direction
from gateway_worker.sessions.hosting import InboundMessage, InboundReceipt, UndecryptableMessage
from gateway_worker.sessions.inbound.quarantine import Quarantine
from gateway_worker.sessions.inbound.receipts import SendsInProgress
from gateway_worker.sessions.inbound.recording import InboundRecorder
from tests.support.eventually import eventually
from tests.support.recorder import MemoryRecorder

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHAT = "12025550102@s.whatsapp.net"


class Journal(MemoryRecorder):
    """A recorder whose commits the test decides."""

    def __init__(self) -> None:
        super().__init__(at_once=False)

    def refuse(self) -> None:
        """Refuse the oldest of what waits."""
        waiting = [future for future in self.futures if not future.done()]
        waiting[0].set_exception(ValueError("refused"))


def inbound(
    journal: Journal,
    *,
    sends: SendsInProgress | None = None,
    unacknowledged: int = 9,
    quarantine: Callable[[Change], None] = lambda _change: None,
) -> InboundRecorder:
    """Return the arrivals of a session."""
    return InboundRecorder(
        session_id="s",
        source="/workers/w",
        sends=sends,
        record=journal.record,
        epoch=3,
        unacknowledged=unacknowledged,
        quarantine=quarantine,
    )


def message(record: int, *, from_me: bool = False) -> InboundMessage:
    """Return an arrival."""
    return InboundMessage(
        record=record,
        message_id=f"M{record}",
        chat=CHAT,
        sender=Participant(jid=CHAT),
        from_me=from_me,
        is_group=False,
        timestamp=NOW,
        content=TextContent(text="hi"),
    )


def receipt(record: int, *message_ids: str) -> InboundReceipt:
    """Return news of some messages."""
    return InboundReceipt(
        record=record,
        message_ids=message_ids,
        chat=CHAT,
        participant=Participant(jid=CHAT),
        status=ReceiptStatus.DELIVERED,
        timestamp=NOW,
    )


async def turns() -> None:
    """Let callbacks run."""
    for _ in range(6):
        await asyncio.sleep(0)


async def test_a_record_is_acknowledged_after_its_commit() -> None:
    """In the order of the commits."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    for record in (1, 2):
        await arrivals.message(message(record), acknowledged.append)
    await turns()
    assert acknowledged == []
    journal.commit()
    await turns()
    assert acknowledged == [1]
    journal.commit()
    await turns()
    assert acknowledged == [1, 2]


async def test_a_record_of_a_lost_session_is_not_acknowledged() -> None:
    """Its new owner has to get it; neither is one whose worker stops."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    for record in (1, 2):
        await arrivals.message(message(record), acknowledged.append)
    journal.lose("s")
    journal.commit()
    journal.futures[1].cancel()
    await turns()
    assert acknowledged == []


async def test_what_the_owner_writes_on_the_phone_is_a_sent_message() -> None:
    """Direction and event say so."""
    journal = Journal()
    arrivals = inbound(journal)
    for record, from_me in ((1, False), (2, True)):
        await arrivals.message(message(record, from_me=from_me), lambda _record: None)

    found = [
        (type(change.events[0]), change.message and change.message.direction, change.epoch)
        for change in journal.changes
    ]
    assert found == [(MessageReceived, Direction.IN, 3), (MessageSent, Direction.OUT, 3)]


async def test_a_receipt_is_acknowledged_when_its_last_message_is_committed() -> None:
    """One change for each message."""
    journal, acknowledged = Journal(), list[int]()
    await inbound(journal).receipt(receipt(1, "A", "B"), acknowledged.append)
    journal.commit()
    await turns()
    assert acknowledged == []
    journal.commit()
    await turns()
    assert acknowledged == [1]
    assert [change.receipt and change.receipt.message_id for change in journal.changes] == [
        "A",
        "B",
    ]


async def test_a_receipt_without_news_waits_for_the_one_that_had_them() -> None:
    """Nothing else says that its news is stored; once it is, it is acknowledged at once."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    await arrivals.receipt(receipt(1, "A"), acknowledged.append)
    await arrivals.receipt(receipt(2, "A"), acknowledged.append)
    await turns()
    assert acknowledged == []
    journal.commit()
    await turns()
    assert acknowledged == [1, 2]
    await arrivals.receipt(receipt(3, "A"), acknowledged.append)
    assert acknowledged == [1, 2, 3]
    assert len(journal.changes) == 1


async def test_receipts_of_two_chats_that_share_an_id_are_two() -> None:
    """So are those of two members of a group."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    group = replace(receipt(1, "A"), chat="1-2@g.us")
    other = replace(group, record=3, participant=Participant(jid="9@lid"))
    for one in (group, receipt(2, "A"), other):
        await arrivals.receipt(one, acknowledged.append)

    rows = [change.receipt for change in journal.changes]
    assert [(row.chat, row.participant) for row in rows if row] == [
        ("1-2@g.us", CHAT),
        (CHAT, CHAT),
        ("1-2@g.us", "9@lid"),
    ]


async def test_a_receipt_whose_first_record_came_to_nothing_is_recorded_again() -> None:
    """The spool brings it again when the worker had to stop."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    await arrivals.receipt(receipt(1, "A"), acknowledged.append)
    journal.futures[0].cancel()
    await turns()
    await arrivals.receipt(receipt(1, "A"), acknowledged.append)
    journal.commit()
    await turns()

    assert (len(journal.changes), acknowledged) == (2, [1])


async def test_a_receipt_that_waits_for_its_send_holds_up_nothing() -> None:
    """Neither what comes behind it nor its acknowledgement; its own comes when it is committed."""
    journal, acknowledged, sends = Journal(), list[int](), SendsInProgress(remembered=9)
    arrivals = inbound(journal, sends=sends, unacknowledged=2)
    with sends.one():
        await arrivals.receipt(
            receipt(1, *(f"old{number}" for number in range(5))), acknowledged.append
        )
        for record in (2, 3, 4):
            await arrivals.message(message(record), acknowledged.append)
            journal.commit()
            await turns()
        assert acknowledged == [2, 3, 4]
    await turns()
    journal.commit(5)
    await turns()

    assert acknowledged == [2, 3, 4, 1]
    told = [change.receipt.message_id for change in journal.changes if change.receipt]
    assert told == [f"old{number}" for number in range(5)]


def unreadable(
    record: int, *, reason: UndecryptableReason = UndecryptableReason.OLD_COUNTER
) -> UndecryptableMessage:
    """Return the word of a message that cannot be read."""
    return UndecryptableMessage(
        record=record,
        message_id="M1",
        chat=CHAT,
        sender=Participant(jid=CHAT),
        timestamp=None,
        reason=reason,
    )


async def test_an_unreadable_message_is_told_once_for_each_reason() -> None:
    """However often WhatsApp sends it; if it then can be read it is a message like any other."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    await arrivals.undecryptable(unreadable(1), acknowledged.append)
    await arrivals.undecryptable(unreadable(2), acknowledged.append)
    other = unreadable(3, reason=UndecryptableReason.UNDECRYPTABLE)
    await arrivals.undecryptable(other, acknowledged.append)
    await arrivals.message(message(1), acknowledged.append)
    assert acknowledged == []
    journal.commit(3)
    await turns()

    events = [change.events[0] for change in journal.changes]
    assert [type(event) for event in events] == [
        MessageUndecryptable,
        MessageUndecryptable,
        MessageReceived,
    ]
    assert isinstance(events[0], MessageUndecryptable)
    assert (events[0].data.message_id, events[0].data.chat) == ("M1", CHAT)
    assert (events[0].data.sender, events[0].data.reason) == (CHAT, "old_counter")
    assert acknowledged == [1, 2, 3, 1]


async def test_what_the_database_refuses_is_kept_in_a_file(tmp_path: Path) -> None:
    """Also in the middle of a receipt; the rest goes on, and the record is acknowledged."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal, quarantine=Quarantine(tmp_path).keep)
    await arrivals.message(message(1), acknowledged.append)
    await arrivals.receipt(receipt(2, "A", "B"), acknowledged.append)

    journal.refuse()
    journal.refuse()
    await eventually(lambda: acknowledged == [1], reason="it is on the disk")
    journal.commit()
    await eventually(lambda: acknowledged == [1, 2], reason="so is the other")

    path = tmp_path / REFUSED_NAME
    kept = {parse_event(line).id for line in path.read_bytes().splitlines()}
    assert kept == {change.events[0].id for change in journal.changes[:2]}
    assert path.stat().st_mode & 0o777 == 0o600


async def test_nothing_is_acknowledged_before_what_was_refused_is_on_the_disk() -> None:
    """A slow disk holds up nobody else."""
    journal, acknowledged = Journal(), list[int]()
    on_disk, kept = threading.Event(), list[Change]()

    def keep(change: Change) -> None:
        assert on_disk.wait(10)
        kept.append(change)

    arrivals = inbound(journal, quarantine=keep)
    for record in (1, 2):
        await arrivals.message(message(record), acknowledged.append)
    journal.refuse()
    journal.commit()
    await turns()
    assert acknowledged == [2]

    on_disk.set()
    await eventually(lambda: acknowledged == [2, 1], reason="it is told too")
    assert kept == journal.changes[:1]


async def test_what_cannot_be_kept_is_not_acknowledged(tmp_path: Path) -> None:
    """Those before and after it are: each is acknowledged by itself."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal, quarantine=Quarantine(tmp_path / "missing").keep)
    for record in (1, 2, 3):
        await arrivals.message(message(record), acknowledged.append)
    journal.commit()
    journal.refuse()
    journal.commit()
    await eventually(lambda: acknowledged == [1, 3], reason="the others are")
    await eventually(lambda: not arrivals._keeping, reason="the disk has refused it too")
    await turns()

    assert acknowledged == [1, 3]


async def test_too_many_records_hold_the_host_up() -> None:
    """Until the oldest is committed."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal, unacknowledged=2)
    for record in (1, 2):
        await arrivals.message(message(record), acknowledged.append)
    third = asyncio.create_task(arrivals.message(message(3), acknowledged.append))
    await turns()
    assert not third.done()
    journal.commit()
    await eventually(third.done)
    assert acknowledged == [1]
