"""Histories as phones pack them."""

import zlib

import pytest

from gateway_worker.sandbox.phones.errors import InvalidContentError
from gateway_worker.sandbox.phones.history import (
    HistoryPart,
    HistoryType,
    PastChat,
    PastMessage,
    made_chats,
    packed,
)
from gateway_worker.sandbox.phones.wa_e2e import HistorySync

OWN = "12025550100@s.whatsapp.net"
GROUP = "120363025550100001@g.us"


def unpacked(part: HistoryPart) -> HistorySync:
    """Return what a companion finds in a part."""
    return HistorySync.FromString(zlib.decompress(packed(part, own=OWN)))


def test_a_part_has_what_it_is_given() -> None:
    """Who wrote what in a group, what is unread, and that there is nothing older."""
    mine = PastMessage(message_id="A", text="hi", from_me=True, sent_at=5, writer=OWN)
    theirs = PastMessage(
        message_id="B", sent_at=4, writer="1@s.whatsapp.net", content={"conversation": "ho"}
    )
    chat = PastChat(address=GROUP, unread=1, is_whole=True, messages=(mine, theirs))
    found = unpacked(HistoryPart(kind=HistoryType.FULL, progress=40, chats=(chat,)))

    (conversation,) = found.conversations
    assert (found.syncType, found.progress) == (HistorySync.HistorySyncType.FULL, 40)
    assert (conversation.ID, conversation.unreadCount) == (GROUP, 1)
    assert conversation.endOfHistoryTransferType == 1
    first, second = (entry.message for entry in conversation.messages)
    assert (first.key.fromMe, first.participant, first.status) == (True, OWN, 4)
    assert (second.message.conversation, second.participant) == ("ho", "1@s.whatsapp.net")


def test_chats_that_are_made_up() -> None:
    """As many as wished, each with messages of its own, as long as wished."""
    chats = [*made_chats(3, 7, characters=40, first=12_025_580_000)]
    found = unpacked(HistoryPart(chats=chats))

    messages = [entry.message for one in found.conversations for entry in one.messages]
    assert len({message.key.ID for message in messages}) == len(messages) == 3 * 7
    assert {len(message.message.conversation) for message in messages} == {40}


def test_a_content_that_is_none() -> None:
    """It is refused, as in a message."""
    chat = PastChat(
        address=OWN, messages=(PastMessage(message_id="A", sent_at=1, content={"nothing": 1}),)
    )
    with pytest.raises(InvalidContentError):
        packed(HistoryPart(chats=(chat,)), own=OWN)
