"""What the service itself sends to a device: notifications, calls, receipts of its own."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.wire.jid import SERVER
from gateway_worker.sandbox.wire.node import now

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.wire.node import Attrs, Node

KEPT: Final = frozenset(("message", "receipt", "notification", "call"))
"""Stanzas that a device confirms, and that wait for it until then. The rest is for who is there."""


def push(device: DeviceRecord, node: Node) -> bool:
    """Send a stanza as the service does; whether the device has it or will get it.

    What every kept stanza has is added where it is missing: an id, the time, the service as sender.
    """
    if node.tag in KEPT:
        attrs: Attrs = {"id": secrets.token_hex(8).upper(), "t": now(), "from": SERVER}
        device.mailbox.put(replace(node, attrs={**attrs, **node.attrs}))
        return True
    sink = device.mailbox.sink
    if sink is not None:
        sink.deliver(node)
    return sink is not None
