"""Stanzas to bytes and back, including every form that only clients write."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.sandbox.wire.codec import Decoder, encode
from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.jid import SERVER, Jid, lid, pn
from gateway_worker.sandbox.wire.node import Node
from gateway_worker.sandbox.wire.tokens import load_tokens


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(load_tokens())


def single(text: str) -> int:
    return load_tokens().single.index(text)


texts = st.text(min_size=1, max_size=300)
digits = st.text("0123456789", min_size=1, max_size=18)
addresses = st.one_of(
    st.just(SERVER),
    st.builds(pn, digits, st.integers(0, 255)),
    st.builds(lid, digits, st.integers(0, 255)),
    st.builds(Jid, digits, st.just("g.us")),
)
nodes = st.recursive(
    st.builds(
        Node,
        texts,
        st.dictionaries(texts, texts | addresses, max_size=4),
        st.none() | st.binary(max_size=400),
    ),
    lambda inner: st.builds(
        Node, texts, st.just({}), st.lists(inner, min_size=1, max_size=4).map(tuple)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(node=nodes)
def test_what_is_written_reads_the_same(node: Node) -> None:
    """Every stanza survives the way to bytes and back."""
    assert Decoder(load_tokens()).decode(encode(node)) == node


@pytest.mark.parametrize("size", [0, 255, 256, (1 << 20) - 1, 1 << 20])
def test_content_of_every_length_class(decoder: Decoder, size: int) -> None:
    """Lengths around the borders of the three length fields."""
    node = Node("enc", {}, bytes(size))

    assert decoder.decode(encode(node)) == node


def test_more_than_255_children(decoder: Decoder) -> None:
    """A long list takes the wide list header."""
    node = Node("list", {}, tuple(Node("key", {"n": str(n)}) for n in range(812)))

    assert decoder.decode(encode(node)) == node


def test_tokens_are_read(decoder: Decoder) -> None:
    """One- and two-byte tokens, as tag, attribute and content."""
    word = load_tokens().double[1][7]
    tag, name = single("iq"), single("type")
    frame = bytes([0, 248, 4, tag, name, 237, 7, 237, 7])

    assert decoder.decode(frame) == Node("iq", {"type": word}, word.encode())


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (bytes([255, 0x82, 0x12, 0x3F]), "123"),
        (bytes([255, 0x03, 0x1A, 0xB2, 0x34]), "1-.234"),
        (bytes([251, 0x02, 0x3E, 0xB0]), "3EB0"),
        (bytes([251, 0x82, 0x3E, 0xB0]), "3EB"),
    ],
)
def test_packed_digits_are_read(decoder: Decoder, packed: bytes, text: str) -> None:
    """Two characters per byte, decimal or hexadecimal; the flag drops the last half."""
    frame = bytes([0, 248, 3, single("iq"), single("id")]) + packed

    assert decoder.decode(frame).attrs == {"id": text}


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (bytes([247, 0, 3, 255, 0x01, 0x12]), pn("12", 3)),
        (bytes([247, 1, 3, 255, 0x01, 0x12]), lid("12", 3)),
        (bytes([247, 128, 99, 255, 0x01, 0x12]), Jid("12", "hosted", 99)),
        (bytes([246, 255, 0x01, 0x12, 0, 7, 252, 4]) + b"msgr", Jid("12", "msgr", 7)),
        (bytes([245, 255, 0x01, 0x12, 0, 7, 0, 2, 252, 7]) + b"interop", Jid("12", "interop", 7)),
    ],
)
def test_addresses_with_devices_are_read(decoder: Decoder, written: bytes, address: Jid) -> None:
    """Every form of an address that names a device."""
    frame = bytes([0, 248, 3, single("iq"), single("to")]) + written

    assert decoder.decode(frame).attrs == {"to": address}


def test_compressed_frames_are_read(decoder: Decoder) -> None:
    """The flag byte says when the rest is compressed."""
    node = Node("message", {"id": "a" * 200})

    assert decoder.decode(b"\x02" + zlib.compress(encode(node)[1:])) == node


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0",
        b"\0\xf8",
        b"\0\x00",
        b"\0\xf8\x01\xfc\x09abc",
        b"\0\xf8\x01\xfc\x01a!",
        b"\0\xf8\x01\xf7\x07\x01\xfc\x011",
        b"\0\xf8\x03\xfc\x01a\xfc\x01b\xff\x01\xdd",
        b"\0\xf8\x01\xfc\x01\xff",
        b"\x02not zlib",
        b"\x02" + zlib.compress(bytes((1 << 24) + 1)),
        b"\0" + b"\xf8\x02\xfc\x01a\xf8\x01" * 2000,
    ],
)
def test_nonsense_is_an_error(decoder: Decoder, frame: bytes) -> None:
    """Whatever is no stanza raises the wire's own error."""
    with pytest.raises(WireError):
        decoder.decode(frame)


@settings(deadline=None)
@given(frame=st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(frame: bytes) -> None:
    """Reading either works or fails with the wire's own error."""
    try:
        node = Decoder(load_tokens()).decode(b"\0" + frame)
    except WireError:
        return
    assert isinstance(node, Node)
