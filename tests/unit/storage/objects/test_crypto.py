"""The envelope: opens for whom it was sealed, and for nobody and nothing else."""

import base64
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.storage.objects.crypto import Keyring, UnreadableError

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)
CONTEXT = "device-store:shop"


def encoded(key: bytes) -> str:
    """Return a key as it is configured."""
    return base64.b64encode(key).decode()


@settings(deadline=None)
@given(plain=st.binary(max_size=4096), context=st.text(st.characters(codec="utf-8")))
def test_what_was_sealed_opens(plain: bytes, context: str) -> None:
    """Whatever it is and whosever."""
    keyring = Keyring({"k1": NEW})
    assert keyring.open(keyring.seal(plain, context=context), context=context) == plain


@settings(deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    """In the header, the key's id, the nonce, the text or the tag."""
    keyring = Keyring({"k1": NEW, "k2": NEW})
    envelope = bytearray(keyring.seal(b"plain", context=CONTEXT))
    position = data.draw(st.integers(0, len(envelope) - 1))
    envelope[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnreadableError):
        keyring.open(bytes(envelope), context=CONTEXT)


@settings(deadline=None)
@given(data=st.data())
def test_a_part_of_an_envelope_does_not_open(data: st.DataObject) -> None:
    """Cut off anywhere, or with something behind it."""
    keyring = Keyring({"k1": NEW})
    envelope = keyring.seal(b"plain", context=CONTEXT)
    cut = data.draw(st.integers(0, len(envelope) - 1))
    for wrong in (envelope[:cut], envelope[cut + 1 :], envelope + b"\0"):
        with pytest.raises(UnreadableError):
            keyring.open(wrong, context=CONTEXT)


@settings(deadline=None)
@given(junk=st.binary(max_size=200))
def test_junk_does_not_open(junk: bytes) -> None:
    """Nor does junk behind a proper beginning; nothing but our own error is raised."""
    for wrong in (
        junk,
        b"WGS",
        b"WGS\x01\x02k1" + junk,
        b"WGS\x02" + junk,
        b"WGS\x02\x02k1" + junk,
    ):
        with pytest.raises(UnreadableError):
            Keyring({"k1": NEW}).open(wrong, context=CONTEXT)


def test_an_envelope_is_for_one_context_only() -> None:
    """Whoever swaps the copies of two sessions gets neither open."""
    keyring = Keyring({"k1": NEW})
    envelope = keyring.seal(b"plain", context=CONTEXT)
    with pytest.raises(UnreadableError, match="not for this use"):
        keyring.open(envelope, context="device-store:shop2")


def test_a_key_that_was_replaced_still_opens() -> None:
    """The first key seals; the others are there for what was sealed before."""
    before = Keyring.parse(f"2025:{encoded(OLD)}")
    after = Keyring.parse(f"2026:{encoded(NEW)}, 2025:{encoded(OLD)}")
    assert after.open(before.seal(b"old", context=CONTEXT), context=CONTEXT) == b"old"
    with pytest.raises(UnreadableError, match="'2026', which is not given"):
        before.open(after.seal(b"new", context=CONTEXT), context=CONTEXT)


def test_another_key_of_the_same_name_does_not_open() -> None:
    """A name is no key."""
    envelope = Keyring({"k1": OLD}).seal(b"plain", context=CONTEXT)
    with pytest.raises(UnreadableError, match="damaged"):
        Keyring({"k1": NEW}).open(envelope, context=CONTEXT)


def test_the_same_text_never_looks_the_same() -> None:
    """Each envelope has a nonce of its own."""
    keyring = Keyring({"k1": NEW})
    assert len({keyring.seal(b"plain", context=CONTEXT) for _ in range(100)}) == 100


def test_what_is_sealed_is_not_to_be_seen() -> None:
    """Neither in the envelope nor in the keyring's representation."""
    keyring = Keyring({"k1": NEW})
    assert b"a long plain text" not in keyring.seal(b"a long plain text", context=CONTEXT)
    assert repr(keyring) == "Keyring(k1)"


WRONG_KEYS = {  # by name, because every test process draws keys of its own
    "nothing": ("", "entry 1 is not of the form id:base64"),
    "no id": (encoded(NEW), "entry 1 is not of the form id:base64"),
    "empty id": (f":{encoded(NEW)}", "entry 1 is not of the form id:base64"),
    "empty entry": (f"k1:{encoded(NEW)},", "entry 2 is not of the form id:base64"),
    "space in id": (f"a key:{encoded(NEW)}", "entry 1 is not of the form id:base64"),
    "long id": (f"{'k' * 65}:{encoded(NEW)}", "entry 1 is not of the form id:base64"),
    "id twice": (f"k1:{encoded(NEW)},k1:{encoded(OLD)}", "'k1' is there twice"),
    "not base64": ("k1:!", "'k1' is not base64"),
    "cut base64": (f"k1:{encoded(NEW)[:-1]}", "'k1' is not base64"),
    "empty key": ("k1:", "'k1' has 0 bytes instead of 32"),
    "short key": (f"k1:{encoded(NEW[:16])}", "'k1' has 16 bytes instead of 32"),
    "long key": (f"k1:{encoded(NEW + OLD)}", "'k1' has 64 bytes instead of 32"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
def test_wrong_keys_are_named_but_not_shown(text: str, message: str) -> None:
    """What is wrong with which entry."""
    with pytest.raises(ValueError, match=message) as caught:
        Keyring.parse(text)
    assert encoded(NEW)[:8] not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_keyring_is_not_empty() -> None:
    """Nothing could be sealed."""
    with pytest.raises(ValueError, match="no key is given"):
        Keyring({})
