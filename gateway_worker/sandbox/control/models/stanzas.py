"""Connections that end, and stanzas that no device sends."""

from __future__ import annotations

from pydantic import Base64Bytes, Field

from gateway_worker.sandbox.control.models.base import Body
from gateway_worker.sandbox.service.faults import StreamEnd
from gateway_worker.sandbox.wire.jid import PN_SERVER, Jid
from gateway_worker.sandbox.wire.node import Attrs, Node


class StanzaBody(Body):
    """Any stanza, as it stands; see `Connections.inject`.

    Attributes:
        attrs: an attribute with an `@` is an address, and so is `s.whatsapp.net`.
        text: what it holds, if no elements.
        data: likewise, as base64.
    """

    tag: str = Field(min_length=1)
    attrs: dict[str, str] = Field(default_factory=dict)
    children: tuple[StanzaBody, ...] = ()
    text: str | None = None
    data: Base64Bytes | None = None

    def value(self) -> Node:
        """Return the stanza."""
        attrs: Attrs = {name: _attribute(value) for name, value in self.attrs.items()}
        if self.text is not None:
            return Node(self.tag, attrs, self.text.encode())
        if self.data is not None:
            return Node(self.tag, attrs, self.data)
        return Node(self.tag, attrs, tuple(one.value() for one in self.children) or None)


def _attribute(value: str) -> str | Jid:
    return Jid.parse(value) if "@" in value or value == PN_SERVER else value


class Injection(StanzaBody):
    """A stanza for a phone's companions, or for one of them."""

    device: int | None = Field(default=None, ge=1)


class Push(StanzaBody):
    """A stanza of the service for a phone's companions, or for one device; 0 is the phone."""

    device: int | None = Field(default=None, ge=0)


class Pushed(Body):
    """How many devices have it or will get it."""

    devices: int


class EndStream(Body):
    """How connections end; without `stream` they are cut without a last stanza."""

    stream: StreamEnd | None = None
    device: int | None = Field(default=None, ge=1)


class Ended(Body):
    """How many connections there were."""

    connections: int
