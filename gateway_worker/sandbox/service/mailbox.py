"""What waits for one device: kept until the device confirms it, sent again at its next login.

A companion confirms a message by a receipt and everything else by an ack. A phone lives in this
process and confirms by taking the stanza.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.devices import Device
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Node

Key = tuple[str, str, str, str, str]
"""Kind, id, chat; of a receipt also its type, and who of a group confirms."""


def key_of(node: Node) -> Key:
    """What a confirmation of this stanza can be matched by."""
    return _key(node.tag, node, node.jid("from"))


def key_of_ack(node: Node) -> Key:
    """What an ack confirms."""
    return _key(node.get("class"), node, node.jid("to"))


def key_of_message(message_id: str, chat: Jid) -> Key:
    """What a receipt confirms of a chat, or of a person."""
    return "message", message_id, chat.user, "", ""


def _key(kind: str, node: Node, chat: Jid | None) -> Key:
    is_receipt = kind == "receipt"
    person = node.jid("participant") if is_receipt else None
    return (
        kind,
        node.get("id"),
        chat.user if chat else "",
        node.get("type") if is_receipt else "",
        str(person) if person else "",
    )


class Mailbox:
    """One device's queue, in order of arrival."""

    __slots__ = ("_confirms", "_pending", "sink")

    def __init__(self, *, confirms: bool) -> None:
        """Start offline and empty.

        Args:
            confirms: whether the device confirms by stanzas (a companion) or by taking (a phone).
        """
        self._confirms = confirms
        self._pending: dict[Key, Node] = {}
        self.sink: Device | None = None

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, node: Node) -> None:
        """Queue a stanza and send it if the device is online."""
        if self._confirms or self.sink is None:
            self._pending[key_of(node)] = node
        if self.sink is not None:
            self.sink.deliver(node)

    def open(self, sink: Device) -> None:
        """The device is ready: send what waits, marked as delayed, and then what comes."""
        waiting = self.waiting()
        if not self._confirms:
            self._pending.clear()
        self.sink = sink
        for node in waiting:
            sink.deliver(replace(node, attrs={**node.attrs, "offline": "0"}))

    def close(self, sink: Device) -> None:
        """The device went away; a no-op when another connection has taken its place."""
        if self.sink is sink:
            self.sink = None

    def waiting(self) -> tuple[Node, ...]:
        """What is not confirmed yet, oldest first."""
        return tuple(self._pending.values())

    def find(self, key: Key) -> Node | None:
        """The stanza that waits under this key."""
        return self._pending.get(key)

    def confirm(self, key: Key) -> bool:
        """Forget a confirmed stanza; whether it was waiting."""
        return self._pending.pop(key, None) is not None

    def clear(self) -> None:
        """Forget everything (the device was unlinked)."""
        self._pending.clear()
