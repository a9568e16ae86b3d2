"""Sender keys inside of content, and to whom they were given."""

from __future__ import annotations

import pytest

from gateway_worker.sandbox.phones.content import text_content
from gateway_worker.sandbox.phones.group_keys import GivenKeys, with_key, without_key
from gateway_worker.sandbox.phones.wa_e2e import Message
from gateway_worker.sandbox.signal.errors import MalformedMessageError
from gateway_worker.sandbox.signal.sender_keys import SenderKeyBook
from gateway_worker.sandbox.wire.jid import Jid, lid

GROUP = Jid("1203630001", "g.us")
ANN, BOB = lid("1", 1), lid("2")


@pytest.mark.parametrize("text", ["hello", ""])
def test_a_key_goes_along_with_content(text: str) -> None:
    """Or alone; the content is as it was before."""
    content = text_content(text).SerializeToString() if text else b""

    sealed = with_key(content, chat=GROUP, key=b"the key")

    given = Message.FromString(sealed).senderKeyDistributionMessage
    assert (given.groupID, given.axolotlSenderKeyDistributionMessage) == (str(GROUP), b"the key")
    assert without_key(sealed) == (content, b"the key")
    assert without_key(content) == (content, b"")


def test_bytes_that_are_no_content() -> None:
    """Are told apart from content without a key."""
    with pytest.raises(MalformedMessageError):
        without_key(with_key(b"\xff", chat=GROUP, key=b"the key"))


def test_a_key_is_given_once() -> None:
    """And to who comes later."""
    keys = GivenKeys(book=SenderKeyBook())
    assert keys.missing(GROUP, [ANN]) == (ANN,)
    assert keys.missing(GROUP, [ANN]) == (ANN,)
    keys.note(GROUP, [ANN])
    assert keys.missing(GROUP, [ANN]) == ()
    assert keys.missing(GROUP, [ANN, BOB]) == (BOB,)


def test_a_device_that_reads_no_more() -> None:
    """Such as one that was unlinked: the others are given a new key."""
    book = SenderKeyBook()
    keys = GivenKeys(book=book)
    keys.note(GROUP, [ANN, BOB])
    old = book.distribution(str(GROUP))
    assert keys.missing(GROUP, [ANN, BOB]) == ()
    assert book.distribution(str(GROUP)) == old

    assert keys.missing(GROUP, [BOB]) == (BOB,)

    assert book.distribution(str(GROUP)) != old
