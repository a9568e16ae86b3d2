"""What was written before the account was linked: told page by page, and not lost in between."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway_contracts import HistoryKind, ReceiptStatus
from gateway_worker.host_protocol.envelope import FromHost, HistoryPage, Notice
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.layout import HISTORY_NAME
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host import history_reader
from gateway_worker.whatsapp.host.history_reader import HistoryReader
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals
from tests.support.past import NEWEST, Chat, WebMessageInfo, history, pages
from tests.unit.whatsapp.library_messages import events

ANA, BEN = "15550100001@s.whatsapp.net", "15550100002@s.whatsapp.net"
GROUP = "120363025550100001@g.us"
OWN = Person(jid="15550100000:5@s.whatsapp.net", phone_number="+15550100000")


class Host:
    """A host's reader, and what it has told."""

    def __init__(self, directory: Path, *, depth: str = "recent") -> None:
        self.sent: list[FromHost] = []
        self.refused: set[str] = set()
        self.ignoring = IgnoredArrivals(info_class=None, source_class=None)
        self.reader = HistoryReader(
            directory=directory,
            message_class=WebMessageInfo,
            people=People(phone_of={"77": "15550100007"}.get, own=OWN),
            ignoring=self.ignoring,
            send=self.send,
        )
        self.reader.set(depth)

    def send(self, frame: FromHost) -> None:
        """Take a frame, but for one page in its first form."""
        if isinstance(frame, HistoryPage) and frame.page in self.refused:
            self.refused.discard(frame.page)
            raise WireError("too large")
        self.sent.append(frame)

    @property
    def page(self) -> str:
        """The name of the page that was told last."""
        last = self.sent[-1]
        assert isinstance(last, HistoryPage)
        return last.page

    def next(self) -> str:
        """Tell the next page and return its name."""
        self.reader.send_next()
        return self.page

    def rest(self, *, up_to: int = 1_000) -> None:
        """Have so many pages recorded."""
        for _ in range(up_to):
            told = len(pages(self.sent))
            self.reader.send_next()
            if len(pages(self.sent)) == told:
                return
            self.reader.acknowledge(self.page)


def at(seconds: int) -> datetime:
    """Return a moment."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def test_a_history_is_told_in_pages_of_one_chat(tmp_path: Path) -> None:
    """A hundred messages at most, in their order; the last of each chat and of all say so."""
    host = Host(tmp_path)
    whole = Chat(jid=ANA, messages=250, is_whole=True, name="Ana")
    host.reader.store(history([whole, Chat(jid=GROUP, messages=3)]))

    host.rest()
    told = pages(host.sent)

    assert [(page.chat, len(page.messages)) for page in told] == [
        (ANA, 100),
        (ANA, 100),
        (ANA, 50),
        (GROUP, 3),
    ]
    assert [page.exhausted for page in told] == [False, False, True, False]
    assert [page.finished for page in told] == [False, False, False, True]
    assert {(page.kind, page.progress) for page in told} == {(HistoryKind.RECENT, 100)}
    assert [page.chat_name for page in told] == ["Ana"] * 3 + [None]
    ids = [message.message_id for page in told[:3] for message in page.messages]
    assert ids == [f"1555M{number}" for number in range(250)]
    _, other, mine = told[0].messages[:3]
    assert (mine.from_me, mine.sender.jid, mine.status) == (
        True,
        "15550100000@s.whatsapp.net",
        ReceiptStatus.READ,
    )
    assert (other.from_me, other.sender.jid, other.timestamp) == (False, ANA, at(NEWEST - 1))
    writer = told[3].messages[1].sender
    assert (told[3].is_group, writer.phone_number, writer.push_name) == (
        True,
        "+15550100077",
        "Zed",
    )
    assert host.reader.is_idle
    assert not list((tmp_path / HISTORY_NAME).iterdir())


@pytest.mark.parametrize(("unread", "read"), [(0, 0), (1, 1), (2, 2), (150, 2)])
def test_what_was_read_on_the_phone_is_said_once(tmp_path: Path, unread: int, read: int) -> None:
    """Up to the newest one that is not unread; whoever has answered has read what was there."""
    host = Host(tmp_path)
    host.reader.store(history([Chat(jid=ANA, messages=120, unread=unread)]))

    host.rest()
    first, second = pages(host.sent)

    assert first.read_until == at(NEWEST - read)
    assert second.read_until is None


def test_a_person_is_told_by_number(tmp_path: Path) -> None:
    """From the phone's word, or from what is known of the LID."""
    host = Host(tmp_path)
    told = Chat(jid="66@lid", phone=BEN, messages=1)
    known = Chat(jid="77@lid", messages=1)
    host.reader.store(history([told, known]))

    host.rest()

    assert [(page.chat, page.chat_lid) for page in pages(host.sent)] == [
        (BEN, "66@lid"),
        ("15550100007@s.whatsapp.net", "77@lid"),
    ]


def test_one_page_is_told_at_a_time(tmp_path: Path) -> None:
    """The next one follows the acknowledgement of that one, and of no other."""
    host = Host(tmp_path)
    host.reader.store(history([Chat(jid=ANA, messages=300)]))
    first = host.next()

    host.reader.send_next()
    host.reader.acknowledge("another")
    host.reader.send_next()
    assert len(host.sent) == 1

    host.reader.acknowledge(first)
    assert host.next() != first


def test_another_host_goes_on_where_this_one_was(tmp_path: Path) -> None:
    """The page that was not recorded comes again under its name; a damaged note costs repeats."""
    host = Host(tmp_path)
    host.reader.store(history([Chat(jid=ANA, messages=300)]))
    first = host.next()
    host.reader.acknowledge(first)
    second = host.next()

    assert Host(tmp_path).next() == second
    (note,) = (tmp_path / HISTORY_NAME).glob("*.at")
    note.write_bytes(b"damaged")
    later = Host(tmp_path)
    assert later.next() == first
    later.reader.acknowledge(first)
    later.rest()
    assert later.reader.is_idle


def test_parts_are_told_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    """Nothing of a later one before all of an earlier one."""
    host = Host(tmp_path)
    for number, progress in enumerate((40, 70, 100)):
        host.reader.store(history([Chat(jid=f"1{number}@g.us", messages=101)], progress=progress))

    host.rest()

    assert [page.progress for page in pages(host.sent)] == [40, 40, 70, 70, 100, 100]


def test_an_end_without_chats_is_told(tmp_path: Path) -> None:
    """Of a kind that says when it is over; what has no chats otherwise is nothing."""
    host = Host(tmp_path)
    host.reader.store(history([], progress=80))
    host.reader.store(history([], sync_type=4))
    host.reader.store(history([]))

    host.rest()

    (page,) = pages(host.sent)
    assert (page.chat, page.messages, page.finished) == (None, (), True)


def test_ignored_chats_and_status_are_left_out(tmp_path: Path) -> None:
    """Their end is told without them."""
    host = Host(tmp_path)
    host.ignoring.set(("groups",), ())
    chats = ["status@broadcast", ANA, GROUP]
    host.reader.store(history([Chat(jid=jid, messages=120, is_whole=True) for jid in chats]))

    host.rest()

    told = pages(host.sent)
    assert [(page.chat, page.finished) for page in told] == [
        (ANA, False),
        (ANA, False),
        (None, True),
    ]
    assert host.ignoring.taken() == {"groups": 1}


def test_off_drops_what_waits_and_what_comes(tmp_path: Path) -> None:
    """Nothing of it stays on the disk."""
    host = Host(tmp_path)
    data = history([Chat(jid=ANA, messages=300)])
    host.reader.store(data)
    first = host.next()

    host.reader.set("off")
    host.reader.store(data)
    host.reader.acknowledge(first)
    host.reader.send_next()

    assert len(host.sent) == 1
    assert not list((tmp_path / HISTORY_NAME).iterdir())


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda _data: b"\x0a\xff\xff\xff", lambda _: b""],
)
def test_bytes_that_are_no_history(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """They are dropped with a notice, and what comes after them is told."""
    host = Host(tmp_path)
    host.reader.store(damage(history([Chat(jid=ANA, messages=300)])))
    host.reader.store(history([Chat(jid=BEN, messages=1)]))

    host.rest()
    host.reader.send_waiting()

    assert [page.chat for page in pages(host.sent)] == [BEN]
    assert [one.event for one in host.sent if isinstance(one, Notice)] == ["history_unreadable"]


def garbled(data: bytes) -> bytes:
    """Return a history whose newest message has a field of a type that there is not."""
    return data.replace(b"\x1a\x061555M0", b"\x1f\x061555M0", 1)


def emptied(data: bytes) -> bytes:
    """Return a history with nothing where its newest message was."""
    event = events.HistorySync.FromString(data)
    event.Data.conversations[0].messages[0].ClearField("message")
    return bytes(event.SerializeToString())


@pytest.mark.parametrize("damage", [garbled, emptied])
def test_one_message_that_cannot_be_read_costs_no_other(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """Neither those of its chat, nor those of the chats behind it."""
    host = Host(tmp_path)
    data = history([Chat(jid=ANA, messages=3), Chat(jid=BEN, messages=1)])
    assert damage(data) != data
    host.reader.store(damage(data))

    host.rest()
    host.reader.send_waiting()

    first, second = pages(host.sent)
    assert [message.message_id for message in first.messages] == ["1555M1", "1555M2"]
    assert first.read_until == at(NEWEST - 1)
    assert (second.chat, len(second.messages)) == (BEN, 1)
    assert not [one for one in host.sent if isinstance(one, Notice)]


def test_what_goes_meanwhile_costs_no_history(tmp_path: Path) -> None:
    """The loop takes files away while the library's thread looks how much there is."""
    host = Host(tmp_path)
    (tmp_path / HISTORY_NAME).mkdir()
    (tmp_path / HISTORY_NAME / "gone.draft").symlink_to(tmp_path / "nowhere")
    host.reader.store(history([Chat(jid=ANA, messages=1)]))

    host.rest()

    assert [page.chat for page in pages(host.sent)] == [ANA]
    assert not [one for one in host.sent if isinstance(one, Notice)]


def test_a_page_that_fits_no_frame(tmp_path: Path) -> None:
    """It is told without its messages, with a notice."""
    host = Host(tmp_path)
    host.reader.store(history([Chat(jid=ANA, messages=101)]))
    host.reader.send_next()
    host.reader.acknowledge(host.page)
    host = Host(tmp_path)
    host.refused = {f"{path.stem}-0-100" for path in (tmp_path / HISTORY_NAME).glob("*.sync")}

    host.rest()

    assert [one.event for one in host.sent if isinstance(one, Notice)] == ["history_partial"]
    assert [len(page.messages) for page in pages(host.sent)] == [0]
    assert host.reader.is_idle


def test_too_much_of_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a notice, for the phone does not send it again; so is what the disk does not take."""
    monkeypatch.setattr(history_reader, "MOST_BYTES", 10)
    host = Host(tmp_path)
    host.reader.store(history([Chat(jid=ANA, messages=3)]))
    (tmp_path / HISTORY_NAME).rmdir()
    (tmp_path / HISTORY_NAME).write_bytes(b"in the way")
    host.reader.store(b"x")

    host.reader.send_waiting()

    told = [one.event for one in host.sent if isinstance(one, Notice)]
    assert sorted(told) == ["history_dropped", "history_not_kept"]
