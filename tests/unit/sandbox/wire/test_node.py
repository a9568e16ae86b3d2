"""Reading stanzas."""

from collections.abc import Callable

import pytest

from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.jid import lid, pn
from gateway_worker.sandbox.wire.node import Node

STANZA = Node(
    "iq",
    {"id": "7", "from": lid("9"), "to": "4917@s.whatsapp.net"},
    (Node("list", {}, (Node("item", {"n": "1"}), Node("item", {"n": "2"}, b"x"))),),
)


def test_attributes() -> None:
    """As text, as addresses, with defaults."""
    assert (STANZA.get("id"), STANZA.get("from"), STANZA.get("none", "-")) == ("7", "9@lid", "-")
    assert (STANZA.jid("from"), STANZA.jid("to")) == (lid("9"), pn("4917"))
    assert STANZA.jid("none") is None


def test_children() -> None:
    """By path, by tag, as bytes."""
    assert STANZA.child("list", "item") == Node("item", {"n": "1"})
    assert STANZA.child("list", "none", "deeper") is None
    assert [item.get("n") for item in STANZA.require_child("list").all("item")] == ["1", "2"]
    assert (STANZA.data, STANZA.children[0].children[1].data) == (b"", b"x")


@pytest.mark.parametrize(
    "read",
    [
        lambda: STANZA.require("none"),
        lambda: STANZA.require_jid("none"),
        lambda: STANZA.require_child("list", "none"),
    ],
)
def test_what_is_required_and_missing(read: Callable[[], object]) -> None:
    """A missing part is the peer's error."""
    with pytest.raises(WireError, match="none"):
        read()
