"""What a route does, and what it says to the sender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Attrs, Node


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: a device and its account."""

    account: Account
    device: DeviceRecord


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to answer to the sender.

    Attributes:
        ack: the ack, or `None` when there is none to send.
        delay_seconds: how long to hold it back.
    """

    ack: Node | None = None
    delay_seconds: float = 0.0


NOTHING: Final = Outcome()


class Route(Protocol):
    """The way to one kind of address. Everything is delivered before a method returns."""

    def message(self, sender: Sender, to: Jid, node: Node) -> Attrs:
        """Deliver a message; returns what its ack says beside the usual (`error`, `phash`).

        Raises:
            WireError: the stanza cannot be routed.
        """

    def receipt(self, sender: Sender, to: Jid, node: Node) -> None:
        """Deliver a receipt."""

    def chatstate(self, sender: Sender, to: Jid, node: Node) -> None:
        """Tell those who are online that somebody writes, or stopped."""
