"""The last step to a device: what it gets of a message, damaged where a rule says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.fault_rules import Alter, Corrupt, Point
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.fault_book import FaultBook

PREKEY_MESSAGE: Final = "pkmsg"
IDENTITY: Final = "device-identity"


def with_identity(content: tuple[Node, ...], message: Node) -> tuple[Node, ...]:
    """Add the sender's identity to content that opens a session."""
    identity = message.child(IDENTITY)
    if identity is None or not any(part.get("type") == PREKEY_MESSAGE for part in content):
        return content
    return (*content, identity)


def deliver(record: DeviceRecord, message: Node, *, faults: FaultBook) -> None:
    """Put a message into a device's mailbox."""
    damaged = message
    if faults.consume(Point.DELIVERY, record, Corrupt, message) is not None:
        damaged = replace(damaged, content=tuple(map(_garbled, message.children)))
    changed = faults.consume(Point.DELIVERY, record, Alter, message)
    if changed is not None:
        damaged = replace(damaged, attrs={**message.attrs, **changed.attrs})
    record.mailbox.put(damaged)


def _garbled(part: Node) -> Node:
    if part.tag != "enc" or not part.data:
        return part
    # The last bytes are a MAC or a signature (or ciphertext under one), so the form stays right.
    return replace(part, content=part.data[:-1] + bytes([part.data[-1] ^ 1]))
