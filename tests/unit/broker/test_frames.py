"""Whatever a sender puts into a message's properties can be decoded afterwards."""

from aiormq import spec
from hypothesis import given
from hypothesis import strategies as st
from pamqp.header import ContentHeader

from gateway_worker.broker.frames import HEADER_FRAME, METHOD_FRAME, readable

END = b"\xce"
BASIC = b"\x00\x3c\x00\x00"


@given(size=st.integers(0, 2**64 - 1), rest=st.binary(min_size=2, max_size=200))
def test_any_properties_become_readable(size: int, rest: bytes) -> None:
    """The frame keeps its length and the body's size; only what cannot be read is lost."""
    content = BASIC + size.to_bytes(8, "big") + rest + END
    result = readable(HEADER_FRAME, content)
    header = ContentHeader()
    header.unmarshal(result[:-1])

    assert len(result) == len(content)
    assert header.body_size == size


def test_readable_properties_are_left_alone() -> None:
    """Nothing is lost of a message that is well formed."""
    header = ContentHeader(
        body_size=1,
        properties=spec.Basic.Properties(message_id="größe", headers={"a": [1, {"b": None}]}),
    )
    content = header.marshal() + END

    assert readable(HEADER_FRAME, content) == content


@given(
    tag=st.integers(1, 2**63 - 1),
    exchange=st.text("abc.", max_size=60),
    key=st.binary(max_size=255),
)
def test_any_routing_key_becomes_readable(tag: int, exchange: str, key: bytes) -> None:
    """A key that is text stays; of another one, the letters that are ASCII do."""
    content = (
        b"\x00\x3c\x00\x3c\x03tag"
        + tag.to_bytes(8, "big")
        + b"\x01"
        + bytes([len(exchange)])
        + exchange.encode()
        + bytes([len(key)])
        + key
        + END
    )
    deliver = spec.Basic.Deliver()
    deliver.unmarshal(readable(METHOD_FRAME, content)[4:-1])

    assert deliver.delivery_tag == tag
    assert deliver.exchange == exchange
    try:
        expected = key.decode()
    except UnicodeDecodeError:
        expected = "".join(chr(byte) if byte < 0x80 else "?" for byte in key)
    assert deliver.routing_key == expected
