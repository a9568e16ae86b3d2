"""Two devices talk through session books, in any order and under attack."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.sandbox.signal.errors import (
    DuplicateMessageError,
    MalformedMessageError,
    NoSessionError,
    SignalError,
    UnknownPreKeyError,
    UntrustedBundleError,
)
from gateway_worker.sandbox.signal.keys import KeyPair
from gateway_worker.sandbox.signal.padding import pad, unpad
from gateway_worker.sandbox.signal.reading import MAX_AHEAD
from gateway_worker.sandbox.signal.sessions import (
    Ciphertext,
    CiphertextKind,
    PeerAddress,
    SessionBook,
)

ALICE = PeerAddress(user="1001", device=1)
BOB = PeerAddress(user="1002", device=0)


@dataclass
class Pair:
    """Alice has opened a session with Bob, who has not heard of it yet."""

    alice: SessionBook = field(default_factory=SessionBook.generate)
    bob: SessionBook = field(default_factory=SessionBook.generate)

    def open(self, *, one_time: bool = True) -> Pair:
        """Open from Bob's bundle."""
        key = self.bob.new_one_time_key() if one_time else None
        self.alice.open(BOB, self.bob.bundle(one_time=key))
        return self

    def to_bob(self, text: bytes) -> Ciphertext:
        """Alice encrypts."""
        return self.alice.encrypt(BOB, text)

    def to_alice(self, text: bytes) -> Ciphertext:
        """Bob encrypts."""
        return self.bob.encrypt(ALICE, text)

    def at_bob(self, ciphertext: Ciphertext) -> bytes:
        """Bob decrypts."""
        return self.bob.decrypt(ALICE, ciphertext)

    def at_alice(self, ciphertext: Ciphertext) -> bytes:
        """Alice decrypts."""
        return self.alice.decrypt(BOB, ciphertext)


@pytest.mark.parametrize("one_time", [True, False])
def test_a_session_opens_and_answers(one_time: bool) -> None:  # noqa: FBT001
    """Pre-key messages flow until the first answer, plain ones after it."""
    pair = Pair().open(one_time=one_time)

    first, second = pair.to_bob(b"one"), pair.to_bob(b"two")
    assert [first.kind, second.kind] == [CiphertextKind.PRE_KEY] * 2
    assert [pair.at_bob(first), pair.at_bob(second)] == [b"one", b"two"]
    assert pair.bob.one_time_left == 0

    answer = pair.to_alice(b"three")
    assert answer.kind is CiphertextKind.MESSAGE
    assert pair.at_alice(answer) == b"three"
    assert pair.to_bob(b"four").kind is CiphertextKind.MESSAGE


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_order_of_delivery_decrypts(data: st.DataObject) -> None:
    """Both sides write whenever they like and the network reorders as it likes."""
    pair = Pair().open()
    flying: dict[str, list[tuple[bytes, Ciphertext]]] = {"alice": [], "bob": []}
    bob_knows = False
    written = 0
    for _ in range(data.draw(st.integers(1, 40))):
        moves = ["alice writes", *(["bob writes"] if bob_knows else [])]
        moves += [f"{name} reads" for name in ("alice", "bob") if flying[name]]
        move = data.draw(st.sampled_from(moves))
        name = move.split()[0]
        if move.endswith("writes"):
            text = b"%d" % written
            written += 1
            other, sealed = (
                ("bob", pair.to_bob(text)) if name == "alice" else ("alice", pair.to_alice(text))
            )
            flying[other].append((text, sealed))
        else:
            position = data.draw(st.integers(0, len(flying[name]) - 1))
            text, sealed = flying[name].pop(position)
            assert text == (pair.at_bob(sealed) if name == "bob" else pair.at_alice(sealed))
            bob_knows = bob_knows or name == "bob"
    for text, sealed in flying["bob"]:
        assert text == pair.at_bob(sealed)
    for text, sealed in flying["alice"]:
        assert text == pair.at_alice(sealed)


@settings(max_examples=80, deadline=None)
@given(position=st.integers(min_value=0), bit=st.integers(0, 7), answered=st.booleans())
def test_a_changed_message_is_refused_and_leaves_no_trace(
    position: int,
    bit: int,
    answered: bool,  # noqa: FBT001
) -> None:
    """One flipped bit never decrypts, and the true message still does afterwards."""
    pair = Pair().open()
    if answered:
        pair.at_bob(pair.to_bob(b"hello"))
        pair.at_alice(pair.to_alice(b"hello yourself"))
    true = pair.to_bob(b"the true text")
    forged = bytearray(true.data)
    forged[position % len(forged)] ^= 1 << bit

    try:
        text = pair.at_bob(Ciphertext(kind=true.kind, data=bytes(forged)))
    except SignalError:
        assert pair.at_bob(true) == b"the true text"
    else:
        # Only a field that takes no part in the session (the registration id) may change.
        assert not answered
        assert text == b"the true text"


def test_a_message_decrypts_once() -> None:
    """The second delivery is recognised as old, early and late ones alike."""
    pair = Pair().open()
    sealed = [pair.to_bob(b"%d" % number) for number in range(3)]
    pair.at_bob(sealed[2])
    pair.at_bob(sealed[0])

    for again in (sealed[2], sealed[0]):
        with pytest.raises(DuplicateMessageError):
            pair.at_bob(again)
    assert pair.at_bob(sealed[1]) == b"1"


def test_the_keys_of_overtaken_messages_are_bounded() -> None:
    """A message from too far ahead is refused; one at the limit is read."""
    pair = Pair().open()
    sealed = [pair.to_bob(b"%d" % number) for number in range(MAX_AHEAD + 2)]

    with pytest.raises(NoSessionError, match="messages ahead"):
        pair.at_bob(sealed[-1])
    assert pair.at_bob(sealed[-2]) == b"%d" % MAX_AHEAD
    assert pair.at_bob(sealed[-1]) == b"%d" % (MAX_AHEAD + 1)
    assert pair.at_bob(sealed[0]) == b"0"


def test_both_sides_may_open_at_the_same_moment() -> None:
    """Crossing pre-key messages are both read, and the talk goes on."""
    pair = Pair().open()
    pair.bob.open(ALICE, pair.alice.bundle(one_time=pair.alice.new_one_time_key()))
    from_alice, from_bob = pair.to_bob(b"me first"), pair.to_alice(b"no, me")

    assert pair.at_bob(from_alice) == b"me first"
    assert pair.at_alice(from_bob) == b"no, me"
    for number in range(4):
        text = b"%d" % number
        assert pair.at_bob(pair.to_bob(text)) == text
        assert pair.at_alice(pair.to_alice(text)) == text


def test_a_new_session_leaves_the_earlier_one_readable() -> None:
    """A message of the session before, still on its way, is not lost."""
    pair = Pair().open()
    pair.at_bob(pair.to_bob(b"hello"))
    late = pair.to_bob(b"late")
    pair.open()

    assert pair.at_bob(pair.to_bob(b"again")) == b"again"
    assert pair.at_bob(late) == b"late"


def test_a_forgotten_session_reads_nothing() -> None:
    """What a device that lost its sessions sees: the cause of a retry receipt."""
    pair = Pair().open()
    pair.at_bob(pair.to_bob(b"hello"))
    pair.at_alice(pair.to_alice(b"hello"))
    pair.bob.forget(ALICE)

    with pytest.raises(NoSessionError):
        pair.at_bob(pair.to_bob(b"who?"))
    with pytest.raises(NoSessionError, match="no session with"):
        pair.to_alice(b"who?")


def test_a_one_time_key_opens_one_session() -> None:
    """A second pre-key message with the same key and another base key is refused."""
    pair = Pair()
    bundle = pair.bob.bundle(one_time=pair.bob.new_one_time_key())
    pair.alice.open(BOB, bundle)
    pair.at_bob(pair.to_bob(b"hello"))
    pair.alice.open(BOB, bundle)

    with pytest.raises(UnknownPreKeyError):
        pair.at_bob(pair.to_bob(b"again"))


def test_a_bundle_with_a_foreign_signature_is_refused() -> None:
    """A server cannot swap the signed pre-key."""
    true = SessionBook.generate().bundle()
    forged = replace(true, signed=replace(true.signed, public=KeyPair.generate().public))

    with pytest.raises(UntrustedBundleError):
        SessionBook.generate().open(BOB, forged)


@pytest.mark.parametrize("data", [b"", b"3", b"\x22" + bytes(80), b"\x33" + b"\xff" * 80])
@pytest.mark.parametrize("kind", list(CiphertextKind))
def test_bytes_that_are_no_message_get_a_clear_error(kind: CiphertextKind, data: bytes) -> None:
    """Garbage of every sort is malformed, not a crash."""
    with pytest.raises(MalformedMessageError):
        SessionBook.generate().decrypt(ALICE, Ciphertext(kind=kind, data=data))


@given(text=st.binary(max_size=64))
def test_padding_comes_off_again(text: bytes) -> None:
    """Padding hides the length and nothing else."""
    padded = pad(text)

    assert 1 <= len(padded) - len(text) <= 15
    assert text == unpad(padded)


@pytest.mark.parametrize("padded", [b"", b"\x00", b"\x03\x03", b"a\x02\x03\x03"])
def test_wrong_padding_is_refused(padded: bytes) -> None:
    """A decrypted text that was not padded by these rules is malformed."""
    with pytest.raises(MalformedMessageError):
        unpad(padded)
