"""One device writes to a group; others read, in any order and under attack."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from gateway_worker.sandbox.signal.errors import (
    DuplicateMessageError,
    ForgedMessageError,
    MalformedMessageError,
    NoSenderKeyError,
    SignalError,
    TooFarAheadError,
)
from gateway_worker.sandbox.signal.group_messages import SenderKeyDistribution, SenderKeyMessage
from gateway_worker.sandbox.signal.keys import KeyPair
from gateway_worker.sandbox.signal.reading import MAX_AHEAD
from gateway_worker.sandbox.signal.sender_keys import SenderKeyBook
from gateway_worker.sandbox.signal.sessions import CiphertextKind, PeerAddress

GROUP, OTHER = "1203630001@g.us", "1203630002@g.us"
ANN = PeerAddress(user="1001", device=1)
EVE = PeerAddress(user="1003", device=0)


@pytest.fixture
def ann() -> SenderKeyBook:
    return SenderKeyBook()


@pytest.fixture
def bob(ann: SenderKeyBook) -> SenderKeyBook:
    """Return the book of somebody who was given Ann's key."""
    book = SenderKeyBook()
    book.accept(GROUP, ANN, ann.distribution(GROUP))
    return book


def written(book: SenderKeyBook, *texts: bytes) -> list[bytes]:
    """Encrypt texts for the group."""
    return [book.encrypt(GROUP, text).data for text in texts]


def test_a_group_reads_what_one_writes(ann: SenderKeyBook, bob: SenderKeyBook) -> None:
    """One ciphertext for all; the key is given once."""
    sealed = ann.encrypt(GROUP, b"hello")

    assert sealed.kind is CiphertextKind.SENDER_KEY
    assert bob.decrypt(GROUP, ANN, sealed.data) == b"hello"
    assert bob.decrypt(GROUP, ANN, *written(ann, b"again")) == b"again"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_messages_in_any_order_are_read_once(
    ann: SenderKeyBook, bob: SenderKeyBook, order: tuple[int, ...]
) -> None:
    """Those that were overtaken stay readable, and none is read twice."""
    texts = [b"one", b"two", b"three"]
    sealed = written(ann, *texts)

    assert [bob.decrypt(GROUP, ANN, sealed[one]) for one in order] == [texts[one] for one in order]
    for one in sealed:
        with pytest.raises(DuplicateMessageError):
            bob.decrypt(GROUP, ANN, one)


def test_who_comes_later_reads_from_there_on(ann: SenderKeyBook) -> None:
    """The key that is given then does not open what was written before."""
    before = ann.encrypt(GROUP, b"before").data
    late = SenderKeyBook()
    late.accept(GROUP, ANN, ann.distribution(GROUP))
    after = ann.encrypt(GROUP, b"after").data

    assert late.decrypt(GROUP, ANN, after) == b"after"
    with pytest.raises(DuplicateMessageError):
        late.decrypt(GROUP, ANN, before)


def test_a_key_that_is_given_again_loses_nothing(ann: SenderKeyBook, bob: SenderKeyBook) -> None:
    """Clients give it with every message; what is still to come before stays readable."""
    sealed = ann.encrypt(GROUP, b"overtaken").data
    bob.accept(GROUP, ANN, ann.distribution(GROUP))

    assert bob.decrypt(GROUP, ANN, *written(ann, b"newer")) == b"newer"
    assert bob.decrypt(GROUP, ANN, sealed) == b"overtaken"


def test_whoever_has_left_cannot_read_on(ann: SenderKeyBook, bob: SenderKeyBook) -> None:
    """A new key is for those to whom it is given; messages of the old one stay readable."""
    old = ann.encrypt(GROUP, b"old").data
    ann.renew(GROUP)
    given = ann.distribution(GROUP)
    new = ann.encrypt(GROUP, b"new").data

    with pytest.raises(NoSenderKeyError):
        bob.decrypt(GROUP, ANN, new)
    bob.accept(GROUP, ANN, given)
    assert bob.decrypt(GROUP, ANN, new) == b"new"
    assert bob.decrypt(GROUP, ANN, old) == b"old"


def test_a_key_is_for_one_group_and_one_sender(ann: SenderKeyBook, bob: SenderKeyBook) -> None:
    """Neither another group nor another device is read with it."""
    sealed = ann.encrypt(GROUP, b"hello").data

    for group, sender in ((OTHER, ANN), (GROUP, EVE), (GROUP, replace(ANN, device=2))):
        with pytest.raises(NoSenderKeyError):
            bob.decrypt(group, sender, sealed)
    assert ann.distribution(OTHER) != ann.distribution(GROUP)


def test_a_member_cannot_write_in_the_name_of_another(
    ann: SenderKeyBook, bob: SenderKeyBook
) -> None:
    """The chain is known to all members, the signing key to its owner alone."""
    given = SenderKeyDistribution.from_bytes(ann.distribution(GROUP))
    forged = SenderKeyMessage.sealed(
        key_id=given.key_id, iteration=0, ciphertext=b"c" * 16, signing=KeyPair.generate()
    )

    with pytest.raises(ForgedMessageError):
        bob.decrypt(GROUP, ANN, forged.to_bytes())


def test_a_changed_message_leaves_no_trace(ann: SenderKeyBook, bob: SenderKeyBook) -> None:
    """Whichever byte was changed, the true message is read afterwards."""
    sealed = ann.encrypt(GROUP, b"hello").data
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SignalError):
            bob.decrypt(GROUP, ANN, bytes(changed))

    assert bob.decrypt(GROUP, ANN, sealed) == b"hello"


def test_too_many_messages_ahead(ann: SenderKeyBook, bob: SenderKeyBook) -> None:
    """Nobody has to keep more seeds than that, and the key can be given anew."""
    written(ann, *[b""] * MAX_AHEAD)
    assert bob.decrypt(GROUP, ANN, *written(ann, b"last")) == b"last"
    written(ann, *[b""] * (MAX_AHEAD + 1))
    given = ann.distribution(GROUP)
    sealed = ann.encrypt(GROUP, b"too far").data

    with pytest.raises(TooFarAheadError):
        bob.decrypt(GROUP, ANN, sealed)
    bob.accept(GROUP, ANN, given)
    assert bob.decrypt(GROUP, ANN, sealed) == b"too far"


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_bytes_that_are_no_message(ann: SenderKeyBook, bob: SenderKeyBook, cut: int) -> None:
    """Neither as a message nor as a key."""
    sealed, given = ann.encrypt(GROUP, b"hello").data, ann.distribution(GROUP)

    with pytest.raises(MalformedMessageError):
        SenderKeyMessage.from_bytes(sealed[:cut])
    with pytest.raises(MalformedMessageError):
        bob.accept(GROUP, ANN, given[:cut])


def test_a_forgotten_key_is_missed(ann: SenderKeyBook, bob: SenderKeyBook) -> None:
    """As on a device that has lost its store."""
    bob.forget(GROUP, ANN)

    with pytest.raises(NoSenderKeyError):
        bob.decrypt(GROUP, ANN, *written(ann, b"hello"))
