"""Stanzas: the small XML-like tree that every decrypted frame carries."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.jid import Jid

Attrs = dict[str, str | Jid]
Content = bytes | tuple["Node", ...] | None


@dataclass(frozen=True, slots=True)
class Node:
    """One element.

    Attributes:
        tag: element name.
        attrs: numbers are decimal strings; addresses are `Jid`, never text, because clients read
            them with a typed getter.
        content: raw bytes, child elements, or nothing.
    """

    tag: str
    attrs: Attrs = field(default_factory=dict)
    content: Content = None

    def get(self, name: str, default: str = "") -> str:
        """An attribute as text (an address in its text form), or the default."""
        value = self.attrs.get(name)
        return default if value is None else str(value)

    def require(self, name: str) -> str:
        """An attribute as text.

        Raises:
            WireError: the attribute is missing.
        """
        value = self.attrs.get(name)
        if value is None:
            raise WireError(f"<{self.tag}> lacks the attribute {name!r}")
        return str(value)

    def jid(self, name: str) -> Jid | None:
        """An attribute as an address; text is parsed, absence is `None`."""
        value = self.attrs.get(name)
        if value is None or isinstance(value, Jid):
            return value
        return Jid.parse(value)

    def require_jid(self, name: str) -> Jid:
        """An attribute as an address.

        Raises:
            WireError: the attribute is missing.
        """
        value = self.jid(name)
        if value is None:
            raise WireError(f"<{self.tag}> lacks the address {name!r}")
        return value

    @property
    def children(self) -> tuple[Node, ...]:
        """The child elements; empty when the content is bytes or nothing."""
        return self.content if isinstance(self.content, tuple) else ()

    @property
    def data(self) -> bytes:
        """The content as bytes; empty when it is elements or nothing."""
        return self.content if isinstance(self.content, bytes) else b""

    def sized(self, size: int) -> bytes:
        """The content as exactly so many bytes, such as a key.

        Raises:
            WireError: it has another length.
        """
        data = self.data
        if len(data) != size:
            raise WireError(f"<{self.tag}> holds {len(data)} bytes, not {size}")
        return data

    def child(self, *path: str) -> Node | None:
        """The first descendant reached by following tags, or `None`."""
        node: Node | None = self
        for tag in path:
            if node is None:
                return None
            node = next((item for item in node.children if item.tag == tag), None)
        return node

    def require_child(self, *path: str) -> Node:
        """The first descendant reached by following tags.

        Raises:
            WireError: there is none.
        """
        node = self.child(*path)
        if node is None:
            raise WireError(f"<{self.tag}> lacks <{'/'.join(path)}>")
        return node

    def all(self, tag: str) -> tuple[Node, ...]:
        """The direct children with this tag, in order."""
        return tuple(item for item in self.children if item.tag == tag)


def now() -> str:
    """Seconds since the epoch, as stanzas carry them."""
    return str(int(time.time()))
