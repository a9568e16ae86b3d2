"""What is told once is known again, whatever is known of people by then; what is new is not."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host.repeats import Repeats
from tests.support.arrivals import InboundNotice, through
from tests.unit.whatsapp.library_messages import LID, events, jid, only_messages

with only_messages():
    from gateway_worker.whatsapp.host.arriving import ARRIVING
    from gateway_worker.whatsapp.host.arriving.event import (
        MOST_REPEATS,
        as_nothing,
        identified,
        is_offline,
        repeats_flag,
    )

JOINED, CHANGED, PICTURE, IDENTITY, CALL, ENDED = 21, 22, 23, 24, 36, 42
CLUB = jid("120363025550100001", "g.us")
BEN = jid("77", LID)
SECOND = 1_763_971_200
STRANGER, FRIEND = People(phone_of=lambda _: None), People(phone_of={"77": "4915500001"}.get)
OFF = "off"
LOGIN = "login"


def change(**values: Any) -> Any:
    """Return a change of a group, by somebody of whom only the LID is told."""
    values = {"JID": CLUB, "Sender": BEN, "Timestamp": SECOND, **values}
    return events.GroupInfoEvent(**values)


def joined(*members: str, version: str = "v1") -> Any:
    """Return that the account is in a group."""
    group = events.GroupInfo(JID=CLUB, ParticipantVersionID=version)
    group.Participants.extend(events.GroupParticipant(JID=jid(one, LID)) for one in members)
    return events.JoinedGroup(GroupInfo=group, Sender=BEN)


def request(*attributes: tuple[str, str]) -> Any:
    """Return that somebody wants to enter a group, with the attributes in an order."""
    node = events.Node(Tag="created_membership_requests")
    for name, text in attributes:
        node.Attrs.add(name=name, text=text)
    return change(UnknownChanges=[node])


def call(*, call_id: str = "5D0C1F", relay: str = "", ends: bool = False) -> Any:
    """Return a call, with what the server adds for whoever might answer it."""
    meta = events.BasicCallMeta(timestamp=SECOND, callCreator=BEN, callID=call_id)
    getattr(meta, "from").CopyFrom(BEN)
    data = events.Node(Tag="offer", Nodes=[events.Node(Tag=relay)] if relay else [])
    return (events.CallTerminate if ends else events.CallOffer)(basicCallMeta=meta, data=data)


def told(code: int, event: Any, *, people: People = STRANGER, repeats: int = 0) -> Sequence[str]:
    """Return the ids of the events that a record tells."""
    kind = ARRIVING[code]
    assert kind.identity is not None
    payload = event.SerializePartialToString()
    record = Record(number=1, code=code, flags=repeats_flag(repeats), payload=payload)
    found = [
        through(one)
        for one in identified(kind.tell(record, people), record, kind.identity)
        if one is not None
    ]
    assert found
    assert all(isinstance(one, InboundNotice) for one in found)
    return [one.event_id for one in found if isinstance(one, InboundNotice)]


SAME: dict[str, Callable[[], tuple[int, Any, Any]]] = {
    "a change": lambda: (CHANGED, change(Announce={"IsAnnounce": True}), None),
    "its maker has another name": lambda: (
        CHANGED,
        change(Notify="Ben", Locked={"isLocked": True}),
        change(Notify="Benjamin", Locked={"isLocked": True}),
    ),
    "in another order": lambda: (
        CHANGED,
        request(("jid", "77@lid"), ("request_method", "invite_link")),
        request(("request_method", "invite_link"), ("jid", "77@lid")),
    ),
    "members": lambda: (CHANGED, change(Join=[BEN], Leave=[jid("78", LID)]), None),
    "joined": lambda: (JOINED, joined("77", "78"), None),
    "a picture": lambda: (PICTURE, events.Picture(JID=CLUB, Author=BEN, Timestamp=SECOND), None),
    "keys": lambda: (IDENTITY, events.IdentityChange(JID=BEN, Timestamp=SECOND), None),
    "a call": lambda: (CALL, call(relay="a"), call(relay="b")),
    "its end": lambda: (ENDED, call(ends=True), None),
}
OTHERS: dict[str, Callable[[], tuple[int, Any, Any]]] = {
    "a second later": lambda: (
        CHANGED,
        change(Locked={"isLocked": True}),
        change(Locked={"isLocked": True}, Timestamp=SECOND + 1),
    ),
    "by somebody else": lambda: (
        CHANGED,
        change(Locked={"isLocked": True}),
        change(Locked={"isLocked": True}, Sender=jid("78", LID)),
    ),
    "taken back": lambda: (
        CHANGED,
        change(Announce={"IsAnnounce": True}),
        change(Announce={"IsAnnounce": False}),
    ),
    "with other members": lambda: (JOINED, joined("77"), joined("77", "78")),
    "with other members by their version": lambda: (JOINED, joined(), joined(version="v2")),
    "another call": lambda: (CALL, call(), call(call_id="OTHER")),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_is_known_again(name: str) -> None:
    """By a host that knows more of people than the one before."""
    code, event, again = SAME[name]()
    first = told(code, event)

    assert told(code, event if again is None else again, people=FRIEND) == first
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("name", OTHERS)
def test_something_else_is_not_taken_for_it(name: str) -> None:
    """Each has an id of its own."""
    code, event, other = OTHERS[name]()

    assert not set(told(code, event)) & set(told(code, other))


def test_the_same_once_more_is_something_else() -> None:
    """It is the second of its kind for whoever gets it, as it was for the one before."""
    event = change(Announce={"IsAnnounce": True})

    ids = [told(CHANGED, event, people=people, repeats=1) for people in (STRANGER, FRIEND)]
    assert ids[0] == ids[1] != told(CHANGED, event)


@pytest.mark.parametrize(
    ("came", "repeats"),
    [
        (("on", OFF, "on"), (0, 0, 1)),
        (("on", OFF, "on", LOGIN, "on", OFF, "on"), (0, 0, 1, 0, 0, 1)),
        (("on", OFF, "on", LOGIN, OFF, "on"), (0, 0, 1, 0, 0)),
        (("on", LOGIN, "on", LOGIN, "on"), (0, 0, 0)),
        ((*map(str, range(300)), "0", "299"), (*[0] * 301, 1)),
    ],
)
def test_what_comes_again_before_the_next_login_is_counted(
    came: Sequence[str], repeats: Sequence[int]
) -> None:
    """Of so many; WhatsApp tells what was not confirmed after another login only."""
    counted, found = Repeats(), []
    for one in came:
        if one == LOGIN:
            counted.begin()
        else:
            found.append(counted.count(CHANGED, one.encode()))

    assert tuple(found) == tuple(repeats)


@pytest.mark.parametrize(("repeats", "kept"), [(0, 0), (1, 1), (MOST_REPEATS, 127), (500, 127)])
def test_a_record_has_room_for_it(repeats: int, kept: int) -> None:
    """Beside what else is said of it."""
    record = Record(number=1, code=CHANGED, flags=repeats_flag(repeats), payload=b"")

    assert record.flags >> 1 == kept
    assert record.flags < 256
    assert not is_offline(record)


def test_each_notice_that_is_spooled_has_an_identity() -> None:
    """And nothing else: messages and receipts are known again by what is stored of them."""
    for event in ARRIVING.values():
        is_notice = event.salvage is as_nothing and event.volatile_seconds is None
        assert (event.identity is not None) is is_notice, event.code
