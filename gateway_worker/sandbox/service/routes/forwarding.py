"""What of a stanza reaches its receivers: everything that is not kept back here.

So whatever a client learns to say comes through without a change to this service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway_worker.sandbox.wire.node import Attrs, Node

KEPT_ATTRS: Final = frozenset(
    ("to", "from", "phash", "device_fanout", "peer_recipient_pn", "peer_recipient_lid")
)
"""Between the sender and the service: where it goes and who is thought to be there."""

KEPT_CHILDREN: Final = frozenset(
    ("participants", "enc", "device-identity", "bot", "tctoken", "cstoken", "reporting")
)
"""What each receiver gets a part of, and what proves something to the service alone."""


def forwarded_attrs(node: Node) -> Attrs:
    """Return the attributes that receivers get to see."""
    return {name: value for name, value in node.attrs.items() if name not in KEPT_ATTRS}


def forwarded_children(node: Node) -> tuple[Node, ...]:
    """Return the elements that every receiver gets."""
    return tuple(child for child in node.children if child.tag not in KEPT_CHILDREN)
