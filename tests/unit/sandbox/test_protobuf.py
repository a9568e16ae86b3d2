"""Message classes from tables."""

import pytest

from gateway_worker.sandbox.protobuf import Schema, build_messages

SCHEMA: Schema = {
    "Outer": {"name": (1, "string"), "inner": (2, "Inner", True), "big": (3, "uint64")},
    "Inner": {"raw": (1, "bytes")},
}
NARROW: Schema = {"Outer": {"name": (1, "string")}}


def test_messages_nest_and_repeat() -> None:
    """What is written can be read; presence is kept."""
    outer = build_messages("test.one", SCHEMA)["Outer"]
    message = outer(name="x", big=1 << 60)
    message.inner.add(raw=b"a")
    message.inner.add(raw=b"b")

    again = outer.FromString(message.SerializeToString())

    assert [item.raw for item in again.inner] == [b"a", b"b"]
    assert again.HasField("big")
    assert not outer().HasField("big")


def test_unknown_fields_survive() -> None:
    """A table that lists fewer fields passes the others through."""
    wide = build_messages("test.two", SCHEMA)["Outer"]
    narrow = build_messages("test.two", NARROW)["Outer"]
    data = wide(name="x", big=7).SerializeToString()

    assert wide.FromString(narrow.FromString(data).SerializeToString()).big == 7


def test_an_unknown_type() -> None:
    """A typing mistake in a table is found when the table is read."""
    with pytest.raises(KeyError, match=r"Outer\.name"):
        build_messages("test.three", {"Outer": {"name": (1, "strin")}})
