"""What a session is set to ignore: told by where a message is, before anything else of it."""

from typing import Any

import pytest

from gateway_worker.host_protocol.settings import IGNORED
from gateway_worker.whatsapp.convert.arrival import MESSAGE_RECEIPT, MESSAGE_RECEIVED, Arrival
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals
from tests.unit.whatsapp.library_messages import (
    GROUP,
    LID,
    PHONE,
    arrival,
    e2e,
    events,
    jid,
    source,
)

BEN, BENS_LID = "12025550102", "100000000000102"
ORIGINS: dict[str, Any] = {
    "person": source(Chat=jid(BEN), Sender=jid(BEN)),
    "groups": source(Chat=jid("120363000000000001", GROUP), Sender=jid(BEN), IsGroup=True),
    "status": source(Chat=jid("status", "broadcast"), Sender=jid(BEN)),
    "broadcast": source(Chat=jid("1795502481", "broadcast"), Sender=jid(BEN)),
    "channels": source(Chat=jid("120363000000000002", "newsletter")),
}


def message(origin: Any) -> bytes:
    """Return the library's bytes of a message."""
    content = e2e.Message(conversation="hello" * 100)
    payload: bytes = arrival(content, origin=origin).SerializePartialToString()
    return payload


def ignoring(*names: str, chats: tuple[str, ...] = ()) -> IgnoredArrivals:
    """Return what ignores these."""
    ignored = IgnoredArrivals(info_class=events.MessageInfo, source_class=events.MessageSource)
    ignored.set(names, chats)
    return ignored


@pytest.mark.parametrize("name", [name for name in IGNORED if name in ORIGINS])
def test_a_category_is_ignored_and_counted(name: str) -> None:
    """It, and nothing else."""
    ignored = ignoring(name, "a_later_release")

    taken = [origin for origin, where in ORIGINS.items() if ignored.takes(message(where))]

    assert taken == [name]
    assert ignored.taken() == {name: 1}
    assert ignored.taken() == {}


def test_what_cannot_be_decrypted_is_ignored_like_the_rest() -> None:
    """By the same beginning."""
    info = arrival(e2e.Message(), origin=ORIGINS["groups"]).Info
    undecryptable = events.UndecryptableMessage(Info=info).SerializePartialToString()
    assert ignoring("groups").takes(undecryptable)


@pytest.mark.parametrize(
    "where",
    [
        source(Chat=jid(BEN), Sender=jid(BEN)),
        source(Chat=jid(BENS_LID, LID), Sender=jid(BENS_LID, LID), SenderAlt=jid(BEN)),
        source(Chat=jid(BENS_LID, LID), Sender=jid("1"), RecipientAlt=jid(BEN), IsFromMe=True),
    ],
)
def test_a_chat_is_ignored_by_each_of_its_ids(where: Any) -> None:
    """As far as the message names them; what the person writes elsewhere is not ignored."""
    ignored = ignoring(chats=(f"{BEN}@{PHONE}",))
    assert ignored.takes(message(where))
    assert ignored.taken() == {"chats": 1}
    in_group = source(
        Chat=jid("120363000000000001", GROUP), Sender=jid(BENS_LID, LID), SenderAlt=jid(BEN)
    )
    assert not ignored.takes(message(in_group))
    assert not ignored.takes(message(source(Chat=jid("12025550103"), Sender=jid("12025550103"))))


@pytest.mark.parametrize("payload", [b"", b"\x0a", b"\x0a\xff", b"\x0a\x02\x0a\x7f", b"\x12\x00"])
def test_what_cannot_be_read_is_not_ignored(payload: bytes) -> None:
    """It is told as what it is."""
    assert not ignoring(*IGNORED, chats=("1@lid",)).takes(payload)


def test_a_message_that_names_its_place_last_is_found_out_too() -> None:
    """The order in which the library writes is a shortcut, and no condition."""
    place = events.MessageInfo(MessageSource=ORIGINS["groups"]).SerializePartialToString()
    rest = events.MessageInfo(ID="3EB0AA").SerializePartialToString()
    payload = b"\x0a" + bytes([len(place) + len(rest)]) + rest + place
    assert ignoring("groups").takes(payload)


def test_what_was_spooled_before_is_ignored_when_it_is_told() -> None:
    """By the conversation's ids as backends know them; receipts are told all the same."""
    ignored = ignoring("groups", chats=(f"{BENS_LID}@lid",))
    of_ben = {"chat": f"{BEN}@{PHONE}", "chat_lid": f"{BENS_LID}@lid"}
    of_group = {"chat": "120363000000000001@g.us", "chat_lid": None}
    of_others = {"chat": "12025550103@s.whatsapp.net", "chat_lid": None}

    taken = [
        ignored.takes_told(Arrival(type=MESSAGE_RECEIVED, data=data))
        for data in (of_ben, of_group, of_others, {"message_id": "x"})
    ]

    assert taken == [True, True, False, False]
    assert not ignored.takes_told(Arrival(type=MESSAGE_RECEIPT, data=of_group))
    assert ignored.taken() == {"groups": 1, "chats": 1}


def test_it_says_so_once_when_there_is_something_to_tell() -> None:
    """Not for each message."""
    woken: list[None] = []
    ignored = IgnoredArrivals(
        info_class=events.MessageInfo,
        source_class=events.MessageSource,
        wake=lambda: woken.append(None),
    )
    ignored.set(("status",), ())

    for _ in range(3):
        ignored.takes(message(ORIGINS["status"]))

    assert ignored.has_news
    assert len(woken) == 1
