"""What arrives is acknowledged to the host's spool once it is committed, and never before."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_contracts import (
    CallReceived,
    ImageContent,
    MediaState,
    MessageReceived,
    MessageSent,
    MessageUndecryptable,
    SessionStatus,
    SessionStatusData,
    StatusReason,
    encode,
    parse_event,
)
from gateway_contracts.events import SessionState
from gateway_worker.host_protocol.envelope import Event, VolatileEvent
from gateway_worker.host_protocol.layout import REFUSED_NAME
from gateway_worker.media.arriving.intake import MediaIntake
from gateway_worker.media.arriving.sealed import SealedReferences
from gateway_worker.media.settings import MediaDownload
from gateway_worker.sessions.changes import Change, Direction
from gateway_worker.sessions.inbound.arrivals import forwarded
from gateway_worker.sessions.inbound.quarantine import Quarantine
from gateway_worker.sessions.inbound.receipts import SendsInProgress
from gateway_worker.sessions.inbound.recording import MOST_VOLATILE, InboundRecorder
from tests.support.arrivals import event
from tests.support.encrypted_files import encrypted
from tests.support.eventually import eventually
from tests.support.media_events import picture
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
    on_unsupported: Callable[[], None] = lambda: None,
    quarantine: Callable[[Change], None] = lambda _change: None,
    media: MediaIntake | None = None,
    is_behind: Callable[[], bool] = lambda: False,
    on_dropped: Callable[[], None] = lambda: None,
) -> InboundRecorder:
    """Return the arrivals of a session."""
    return InboundRecorder(
        session_id="s",
        source="/workers/w",
        sends=sends,
        record=journal.record,
        epoch=3,
        quarantine=quarantine,
        on_unsupported=on_unsupported,
        media=media,
        is_behind=is_behind,
        on_dropped=on_dropped,
    )


def message(record: int, *, from_me: bool = False) -> Event:
    """Return an arrival."""
    data = {
        "message_id": f"M{record}",
        "chat": CHAT,
        "sender": {"jid": CHAT},
        "timestamp": NOW.isoformat(),
        "content": {"kind": "text", "text": "hi"},
    }
    kind = "wa.message.sent.v1" if from_me else "wa.message.received.v1"
    return event(kind, data, record=record)


def receipts(
    record: int, *message_ids: str, chat: str = CHAT, participant: str = CHAT
) -> list[Event]:
    """Return news of some messages, from one record."""
    news = {
        "chat": chat,
        "participant": {"jid": participant},
        "status": "delivered",
        "timestamp": NOW.isoformat(),
    }
    last = len(message_ids) - 1
    return [
        event(
            "wa.message.receipt.v1",
            {"message_id": message_id, **news},
            record=record,
            part=part,
            last=part == last,
        )
        for part, message_id in enumerate(message_ids)
    ]


def record_all(
    arrivals: InboundRecorder, told: Iterable[Event], acknowledge: Callable[[int], None]
) -> None:
    """Record what a host tells."""
    for one in told:
        arrivals.record(one, acknowledge)


async def turns() -> None:
    """Let callbacks run."""
    for _ in range(6):
        await asyncio.sleep(0)


async def test_a_record_is_acknowledged_after_its_commit() -> None:
    """In the order of the commits."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    for record in (1, 2):
        arrivals.record(message(record), acknowledged.append)
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
        arrivals.record(message(record), acknowledged.append)
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
        arrivals.record(message(record, from_me=from_me), lambda _record: None)

    found = [
        (type(change.events[0]), change.message and change.message.direction, change.epoch)
        for change in journal.changes
    ]
    assert found == [(MessageReceived, Direction.IN, 3), (MessageSent, Direction.OUT, 3)]


async def test_a_receipt_is_acknowledged_when_its_last_message_is_committed() -> None:
    """One change for each message."""
    journal, acknowledged = Journal(), list[int]()
    record_all(inbound(journal), receipts(1, "A", "B"), acknowledged.append)
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
    record_all(arrivals, receipts(1, "A"), acknowledged.append)
    record_all(arrivals, receipts(2, "A"), acknowledged.append)
    await turns()
    assert acknowledged == []
    journal.commit()
    await turns()
    assert acknowledged == [1, 2]
    record_all(arrivals, receipts(3, "A"), acknowledged.append)
    assert acknowledged == [1, 2, 3]
    assert len(journal.changes) == 1


async def test_receipts_of_two_chats_that_share_an_id_are_two() -> None:
    """So are those of two members of a group."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    group = receipts(1, "A", chat="1-2@g.us")
    other = receipts(3, "A", chat="1-2@g.us", participant="9@lid")
    for one in (group, receipts(2, "A"), other):
        record_all(arrivals, one, acknowledged.append)

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
    record_all(arrivals, receipts(1, "A"), acknowledged.append)
    journal.futures[0].cancel()
    await turns()
    record_all(arrivals, receipts(1, "A"), acknowledged.append)
    journal.commit()
    await turns()

    assert (len(journal.changes), acknowledged) == (2, [1])


async def test_a_receipt_that_waits_for_its_send_holds_up_nothing() -> None:
    """Neither what comes behind it nor its acknowledgement; its own comes when it is committed."""
    journal, acknowledged, sends = Journal(), list[int](), SendsInProgress(remembered=9)
    arrivals = inbound(journal, sends=sends)
    with sends.one():
        news = receipts(1, *(f"old{number}" for number in range(5)))
        record_all(arrivals, news, acknowledged.append)
        for record in (2, 3, 4):
            arrivals.record(message(record), acknowledged.append)
            journal.commit()
            await turns()
        assert acknowledged == [2, 3, 4]
    await turns()
    journal.commit(5)
    await turns()

    assert acknowledged == [2, 3, 4, 1]
    told = [change.receipt.message_id for change in journal.changes if change.receipt]
    assert told == [f"old{number}" for number in range(5)]


def unreadable(record: int, *, reason: str = "old_counter") -> Event:
    """Return that a message cannot be read."""
    data = {"message_id": "M1", "chat": CHAT, "sender": CHAT, "reason": reason}
    return event("wa.message.undecryptable.v1", data, record=record)


async def test_an_unreadable_message_is_told_once_for_each_reason() -> None:
    """However often WhatsApp sends it; if it then can be read it is a message like any other."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    arrivals.record(unreadable(1), acknowledged.append)
    arrivals.record(unreadable(2), acknowledged.append)
    other = unreadable(3, reason="undecryptable")
    arrivals.record(other, acknowledged.append)
    arrivals.record(message(1), acknowledged.append)
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


def ringing(record: int, *, call_id: str = "C1") -> Event:
    """Return a call."""
    data = {
        "call_id": call_id,
        "chat": CHAT,
        "caller": {"jid": CHAT},
        "creator": CHAT,
        "timestamp": NOW.isoformat(),
    }
    return event("wa.call.received.v1", data, record=record, identity=call_id)


def of_a_moment(*, call_id: str = "C1", seconds: float = 60.0) -> VolatileEvent:
    """Return what is worth something for so long."""
    told = ringing(0, call_id=call_id)
    return VolatileEvent(type=told.type, data=told.data, good_until=time.monotonic() + seconds)


async def test_a_notice_is_an_event_and_nothing_else() -> None:
    """One that comes again is the same one, also in another process, and is acknowledged."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    for told in (ringing(1), ringing(2), ringing(3, call_id="C2")):
        arrivals.record(told, acknowledged.append)
    inbound(journal).record(ringing(1), acknowledged.append)
    journal.commit(3)
    await turns()

    ids = [change.events[0].id for change in journal.changes]
    assert ids[0] == ids[2] != ids[1]
    assert {type(change.events[0]) for change in journal.changes} == {CallReceived}
    assert not [change for change in journal.changes if change.message or change.receipt]
    assert acknowledged == [1, 2, 3, 1]


async def test_what_is_of_a_moment_is_recorded_while_it_is_fresh() -> None:
    """Not when it comes too late, or events go out late; that is counted."""
    journal, dropped, behind = Journal(), list[int](), [False]
    arrivals = inbound(journal, is_behind=lambda: behind[0], on_dropped=lambda: dropped.append(1))
    arrivals.record_volatile(of_a_moment())
    arrivals.record_volatile(of_a_moment())  # which is no repeat: the moment is another
    assert (len(journal.changes), dropped) == (2, [])

    arrivals.record_volatile(of_a_moment(seconds=0.0))
    behind[0] = True
    arrivals.record_volatile(of_a_moment())
    assert (len(journal.changes), dropped) == (2, [1, 1])


async def test_what_is_of_a_moment_does_not_pile_up() -> None:
    """While the database does not answer; what it then refuses nobody misses."""
    journal, dropped = Journal(), list[int]()
    arrivals = inbound(journal, on_dropped=lambda: dropped.append(1))
    for _ in range(MOST_VOLATILE + 2):
        arrivals.record_volatile(of_a_moment())
    assert (len(journal.changes), dropped) == (MOST_VOLATILE, [1, 1])

    journal.refuse()
    await turns()
    assert dropped == [1, 1, 1]
    arrivals.record_volatile(of_a_moment())
    assert len(journal.changes) == MOST_VOLATILE + 1


async def test_what_is_of_a_moment_and_does_not_fit_is_counted() -> None:
    """And told to nobody."""
    journal, counted = Journal(), list[int]()
    arrivals = inbound(journal, on_unsupported=lambda: counted.append(1))
    odd = event("wa.call.received.v1", {"chat": CHAT})
    arrivals.record_volatile(
        VolatileEvent(type=odd.type, data=odd.data, good_until=time.monotonic() + 60.0)
    )

    assert (journal.changes, counted) == ([], [1])


async def test_what_the_database_refuses_is_kept_in_a_file(tmp_path: Path) -> None:
    """Also in the middle of a receipt; the rest goes on, and the record is acknowledged."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal, quarantine=Quarantine(tmp_path).keep)
    arrivals.record(message(1), acknowledged.append)
    record_all(arrivals, receipts(2, "A", "B"), acknowledged.append)

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
        arrivals.record(message(record), acknowledged.append)
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
        arrivals.record(message(record), acknowledged.append)
    journal.commit()
    journal.refuse()
    journal.commit()
    await eventually(lambda: acknowledged == [1, 3], reason="the others are")
    await eventually(lambda: not arrivals._keeping, reason="the disk has refused it too")
    await turns()

    assert acknowledged == [1, 3]


async def test_a_host_that_dies_in_the_middle_of_a_record() -> None:
    """The next one begins it anew, and nothing of the first attempt is waited for."""
    journal, acknowledged = Journal(), list[int]()
    arrivals = inbound(journal)
    first, second, third = receipts(1, "A", "B", "C")
    arrivals.record(first, acknowledged.append)
    arrivals.record(second, acknowledged.append)

    record_all(arrivals, (first, second, third), acknowledged.append)

    assert len(journal.changes) == 3
    journal.commit(2)
    await turns()
    assert acknowledged == []
    journal.commit()
    await turns()
    assert acknowledged == [1]


async def test_what_does_not_fit_the_contract_is_told_counted_and_logged() -> None:
    """A host that is not itself any more neither stops the others nor is acknowledged unseen."""
    journal, acknowledged, counted = Journal(), list[int](), list[int]()
    arrivals = inbound(journal, on_unsupported=lambda: counted.append(1))
    odd = event("wa.message.received.v1", {"content": {}}, record=1)
    with capture_logs() as logs:
        arrivals.record(odd, acknowledged.append)
    arrivals.record(message(2), acknowledged.append)
    journal.commit(2)
    await turns()

    assert [type(change.events[0]) for change in journal.changes] == [
        MessageUndecryptable,
        MessageReceived,
    ]
    assert (acknowledged, counted) == ([1, 2], [1])
    assert [(entry["event"], entry["record"]) for entry in logs] == [("inbound.unsupported", 1)]


async def test_what_another_worker_passes_on_is_recorded_in_the_same_way() -> None:
    """With the id that it had there, once, and kept aside if the database refuses it."""
    journal, kept = Journal(), list[Change]()
    arrivals = inbound(journal, quarantine=kept.append)
    arrivals.record(receipts(1, "A")[0], lambda _record: None)
    passed_on, _ = forwarded(encode(journal.changes[0].events[0]), session_id="s")
    other, _ = forwarded(encode(passed_on.model_copy(update={"id": "other"})), session_id="s")
    status = SessionStatus(
        source="/workers/w",
        subject="s",
        data=SessionStatusData(
            state=SessionState.CONNECTED, reason=StatusReason.LOGIN_SUCCEEDED, worker="w"
        ),
    )
    with pytest.raises(ValueError, match="another session"):
        forwarded(encode(passed_on), session_id="t")
    with pytest.raises(ValueError, match="no arrival"):
        forwarded(encode(status), session_id="s")

    assert arrivals.record_arrival(other) is arrivals.record_arrival(passed_on)
    assert len(journal.changes) == 1
    refused = inbound(journal, quarantine=kept.append).record_arrival(passed_on)
    journal.commit()
    journal.refuse()

    assert not (await refused).applied
    assert kept == journal.changes[1:]
    assert kept[0].receipt == journal.changes[0].receipt
    assert kept[0].events == journal.changes[0].events


REFERENCE = encrypted(b"picture", thumbnail=b"small")[1]


def intake(waiting: list[tuple[str, str]]) -> MediaIntake:
    """Return what enters files, all of which are to be fetched at once."""
    return MediaIntake(
        download=MediaDownload.EAGER,
        eager_limit_bytes=1_000,
        references=SealedReferences(seal=None),
        waiting=lambda *key: waiting.append(key),
    )


async def test_a_file_is_recorded_with_its_message_and_then_fetched() -> None:
    """Not before the commit, and not if the message had been there before."""
    journal, waiting, acknowledged = Journal(), list[tuple[str, str]](), list[int]()
    arrivals = inbound(journal, media=intake(waiting))
    for record in (1, 2):
        arrivals.record(picture(record, REFERENCE, message_id="M"), acknowledged.append)
    rows = [change.media for change in journal.changes]

    assert waiting == []
    journal.commit(2)
    await turns()

    first = journal.changes[0].events[0]
    assert rows[0] is not None
    assert isinstance(first, MessageReceived)
    assert isinstance(first.data.content, ImageContent)
    assert first.data.content.media == rows[0].media
    assert rows[0].media.state is MediaState.PENDING
    assert waiting == [("s", rows[0].media_id)]
    assert acknowledged == [1, 2]


async def test_without_anybody_to_fetch_it_a_file_is_told_as_off() -> None:
    """Which is how the host tells it."""
    journal = Journal()
    inbound(journal).record(picture(1, REFERENCE), lambda _record: None)

    event = journal.changes[0].events[0]

    assert journal.changes[0].media is None
    assert isinstance(event, MessageReceived)
    assert isinstance(event.data.content, ImageContent)
    assert event.data.content.media.state is MediaState.OFF


async def test_a_file_goes_with_its_message_wherever_that_goes(tmp_path: Path) -> None:
    """To the disk if the database refuses it, to another worker if the session has gone there."""
    journal, waiting = Journal(), list[tuple[str, str]]()
    quarantine = Quarantine(tmp_path)
    arrivals = inbound(journal, media=intake(waiting), quarantine=quarantine.keep)
    arrivals.record(picture(1, REFERENCE), lambda _record: None)
    row = journal.changes[0].media
    journal.refuse()
    kept = await eventually(lambda: asyncio.to_thread(quarantine.read))

    there = Journal()
    successor = inbound(there, media=intake(waiting))
    recorded = asyncio.create_task(successor.record_forwarded(kept))
    await turns()
    there.commit()

    assert await recorded
    assert row is not None
    assert there.changes[0].media == row
    assert there.changes[0].events == journal.changes[0].events
    assert waiting == [("s", row.media_id)]
