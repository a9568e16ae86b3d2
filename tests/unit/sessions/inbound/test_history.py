"""What was written before the account was linked: recorded page by page, and beside the rest."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gateway_contracts import HistoryKind, HistoryMessages, encode, parse_event
from gateway_worker.errors import DependencyError, PermanentError
from gateway_worker.host_protocol.envelope import HistoryPage
from gateway_worker.sessions.changes import Direction, MessageRow, ReadMark
from gateway_worker.sessions.inbound import history
from gateway_worker.sessions.inbound.history import HistoryIntake, HistoryTurns
from gateway_worker.sessions.inbound.recording import InboundRecorder
from gateway_worker.sessions.ports import PastMessages
from tests.support.eventually import eventually
from tests.support.recorder import MemoryRecorder

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHAT = "12025550102@s.whatsapp.net"
GROUP = "120363025550100001@g.us"


class Past(PastMessages):
    """Takes rows; fails as often as it is told to."""

    def __init__(self) -> None:
        self.rows: list[MessageRow] = []
        self.failures: list[Exception] = []
        self.is_owned = True
        self.erasures: dict[str, datetime] = {}
        self.asked = 0

    async def write(self, session_id: str, *, epoch: int, rows: Sequence[MessageRow]) -> bool:
        """Take rows."""
        assert (session_id, epoch) == ("s", 3)
        if self.failures:
            raise self.failures.pop()
        self.rows += rows
        return self.is_owned

    async def erased(self, session_id: str, ids: Collection[str]) -> Mapping[str, datetime]:
        """Say who of them was erased."""
        assert session_id == "s"
        self.asked += 1
        return {one: at for one, at in self.erasures.items() if one in ids}


class Worker:
    """One session's intake, and what has become of what it took."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.journal = MemoryRecorder(at_once=at_once)
        self.past = Past()
        self.taken: list[str] = []
        self.unsupported = 0
        self.is_behind = False
        self.has_left = False
        self.inbound = InboundRecorder(
            session_id="s",
            source="/workers/w",
            record=self.journal.record,
            epoch=3,
            quarantine=lambda _change: None,
        )
        self.intake = HistoryIntake(
            session_id="s",
            source="/workers/w",
            epoch=3,
            past=self.past,
            record=self.inbound.record_arrival,
            turns=HistoryTurns(),
            is_behind=lambda: self.is_behind,
            has_left=lambda: self.has_left,
            on_unsupported=self._on_unsupported,
        )

    def take(self, page: HistoryPage) -> None:
        """Take a page."""
        self.intake.take(page, self.taken.append)

    @property
    def events(self) -> list[HistoryMessages]:
        """What was recorded."""
        found = [event for change in self.journal.applied for event in change.events]
        return [event for event in found if isinstance(event, HistoryMessages)]

    def _on_unsupported(self) -> None:
        self.unsupported += 1


def page(name: str = "p-0-0", *, messages: int = 2, **more: object) -> HistoryPage:
    """Return a page as a host tells it; the first of its messages is the account's own."""
    data = {
        "kind": "recent",
        "chat": CHAT,
        "messages": [
            {
                "message_id": f"M{number}",
                "from_me": number == 0,
                "sender": {"jid": CHAT, "lid": "7@lid"},
                "timestamp": NOW.isoformat(),
                "content": {"kind": "text", "text": "hi"},
            }
            for number in range(messages)
        ],
        **more,
    }
    return HistoryPage(page=name, data=msgspec.Raw(msgspec.json.encode(data)))


async def test_a_page_is_taken_once_it_is_recorded() -> None:
    """Its messages first, then the event, with what was read; not before that is committed."""
    worker = Worker(at_once=False)
    worker.take(page(read_until=NOW.isoformat()))

    await eventually(lambda: worker.journal.changes)
    assert not worker.taken
    assert [(row.message_id, row.direction) for row in worker.past.rows] == [
        ("M0", Direction.OUT),
        ("M1", Direction.IN),
    ]
    worker.journal.commit()
    await eventually(lambda: worker.taken == ["p-0-0"])

    (change,) = worker.journal.applied
    assert change.message is None
    assert change.read == ReadMark(chat=CHAT, message_ids=(), at=NOW)


async def test_a_page_that_comes_twice_is_told_once() -> None:
    """It has the same id; another page has another one, and so has another session's."""
    worker = Worker()
    for name in ("p-0-0", "p-0-0", "p-0-100"):
        worker.take(page(name))
        await eventually(lambda: worker.taken)
        worker.taken.clear()

    first, other = (event.id for event in worker.events)
    again = history.history_event(page(), source="/workers/w", session_id="s")
    assert first == again.id != other
    elsewhere = history.history_event(page(), source="/workers/w", session_id="t")
    assert elsewhere.id != first


async def test_nothing_is_recorded_while_events_go_out_late() -> None:
    """And it goes on by itself when they no longer do."""
    worker = Worker()
    worker.is_behind = True
    worker.take(page())
    await asyncio.sleep(0)
    assert not worker.past.rows

    worker.is_behind = False
    await eventually(lambda: worker.taken)


async def test_an_outage_is_waited_for() -> None:
    """The page is recorded once the database is back."""
    worker = Worker()
    worker.past.failures = [DependencyError("away")]
    worker.take(page())

    await eventually(lambda: worker.taken, timeout_seconds=20)
    assert len(worker.events) == 1


async def test_rows_that_the_database_refuses() -> None:
    """The event tells them all the same, and the next page may come."""
    worker = Worker()
    worker.past.failures = [PermanentError("refused")]
    worker.take(page())

    await eventually(lambda: worker.taken)
    assert len(worker.events) == 1


@pytest.mark.parametrize(("faults", "is_recorded"), [(1, True), (2, True), (3, False)])
async def test_a_page_that_fails_as_none_should(
    faults: int,
    is_recorded: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is tried a few times; then it is counted and left out, for the others wait behind it."""
    monkeypatch.setattr(history, "_RETRY_SECONDS", 0)
    worker = Worker()
    worker.past.failures = [RuntimeError("a fault")] * faults
    worker.take(page())
    await eventually(lambda: worker.taken)
    assert (len(worker.events), worker.unsupported) == ((1, 0) if is_recorded else (0, 1))

    worker.take(page("p-0-100"))
    await eventually(lambda: worker.taken == ["p-0-0", "p-0-100"])


async def test_a_page_that_does_not_fit_the_contract() -> None:
    """It is counted, and the next one may come."""
    worker = Worker()
    worker.take(page(messages=101))

    await eventually(lambda: worker.taken)
    assert (worker.unsupported, worker.events) == (1, [])


async def test_what_another_worker_has_by_now() -> None:
    """Nothing of it is taken: its host tells it no more."""
    worker = Worker()
    worker.past.is_owned = False
    worker.has_left = False
    worker.take(page())
    await eventually(lambda: worker.past.rows)
    worker.has_left = True
    worker.intake.stop()

    assert (worker.taken, worker.events) == ([], [])


async def test_pages_that_a_former_owner_passes_on() -> None:
    """Their messages are written before their events are recorded; others are left alone."""
    worker = Worker()
    event = history.history_event(page(), source="/workers/former", session_id="s")
    events = [encode(event)]

    beside = b'{"type": "wa.message.received.v1"}'
    async with worker.intake.forwarding([*events, beside]) as kept:
        assert kept == [*events, beside]
        assert await worker.inbound.record_forwarded(events)

    assert [row.message_id for row in worker.past.rows] == ["M0", "M1"]
    assert [one.id for one in worker.events] == [event.id]


async def test_who_was_erased_is_in_no_page() -> None:
    """Neither stored nor told, by any id; the next page comes all the same."""
    worker = Worker()
    worker.past.erasures = {"7@lid": NOW}
    worker.take(page(chat_lid="7@lid"))
    await eventually(lambda: worker.taken == ["p-0-0"])
    assert (worker.past.rows, worker.events) == ([], [])

    worker.take(page("p-1-0", chat_lid="7@lid", finished=True, progress=100, chat_name="Ada"))
    await eventually(lambda: worker.taken == ["p-0-0", "p-1-0"])
    (event,) = worker.events
    said = event.data.model_dump(exclude_defaults=True)
    assert said == {"kind": HistoryKind.RECENT, "progress": 100, "finished": True}
    assert worker.past.rows == []


async def test_what_others_wrote_is_told_without_the_person() -> None:
    """In a group; nothing else of the page is missing."""
    worker = Worker()
    worker.past.erasures = {CHAT: NOW}
    ben = {"jid": "12025550103@s.whatsapp.net"}
    written = {"timestamp": NOW.isoformat(), "content": {"kind": "text", "text": "hi"}}
    messages = [
        {"message_id": f"M{number}", "from_me": False, "sender": sender, **written}
        for number, sender in enumerate([ben, {"jid": CHAT}, ben])
    ]
    data = {"kind": "recent", "chat": GROUP, "chat_name": "Team", "messages": messages}
    worker.take(HistoryPage(page="p-0-0", data=msgspec.Raw(msgspec.json.encode(data))))
    await eventually(lambda: worker.taken)

    (event,) = worker.events
    assert [one.message_id for one in event.data.messages] == ["M0", "M2"]
    assert [row.message_id for row in worker.past.rows] == ["M0", "M2"]
    assert (event.data.chat, event.data.chat_name) == (GROUP, "Team")


async def test_what_a_person_wrote_after_being_erased() -> None:
    """Is told and stored as anybody's is."""
    worker = Worker()
    worker.past.erasures = {CHAT: NOW - timedelta(seconds=1)}
    worker.take(page())
    await eventually(lambda: worker.taken)

    (event,) = worker.events
    assert len(event.data.messages) == len(worker.past.rows) == 2


async def test_an_erasure_waits_for_the_page_that_is_being_recorded() -> None:
    """It was read before the person was erased, so the erasure has to find it; no later one is."""
    worker = Worker(at_once=False)
    worker.take(page())
    await eventually(lambda: worker.journal.changes)
    settled = asyncio.create_task(worker.intake.settled())
    await asyncio.sleep(0)
    assert not settled.done()

    worker.journal.commit()
    await asyncio.wait_for(settled, 30)
    await eventually(lambda: worker.taken)

    assert worker.past.asked == 1
    assert len(worker.past.rows) == 2


async def test_an_erasure_waits_for_pages_that_are_passed_on() -> None:
    """Likewise; what comes without a page is waited for by nobody."""
    worker = Worker()
    event = history.history_event(page(), source="/workers/former", session_id="s")
    async with worker.intake.forwarding([encode(event)]):
        settled = asyncio.create_task(worker.intake.settled())
        await asyncio.sleep(0)
        assert not settled.done()
        async with worker.intake.forwarding([b'{"type": "wa.message.received.v1"}']):
            assert not settled.done()
    await asyncio.wait_for(settled, 30)


async def test_pages_passed_on_have_nobody_who_was_erased() -> None:
    """What is left of them is passed on; what comes beside them is as it was."""
    worker = Worker()
    worker.past.erasures = {CHAT: NOW}
    told = history.history_event(page(finished=True), source="/workers/former", session_id="s")
    gone = history.history_event(page("p-0-2"), source="/workers/former", session_id="s")
    other = b'{"type": "wa.message.received.v1"}'

    async with worker.intake.forwarding([encode(told), encode(gone), other]) as kept:
        pass

    assert kept[1:] == [other]
    left = parse_event(kept[0])
    assert isinstance(left, HistoryMessages)
    assert (left.id, left.data.chat, left.data.messages) == (told.id, None, ())
    assert worker.past.rows == []
