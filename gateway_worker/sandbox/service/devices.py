"""Devices of an account: where their stanzas go, and what the service remembers of each.

A *device* is either a companion (a real client library on a websocket) or a simulated phone,
device 0 of its account, which lives in this process.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.faults import StreamEnd
    from gateway_worker.sandbox.service.mailbox import Mailbox
    from gateway_worker.sandbox.service.pairing import PairCodeFinish, PairCodeHello
    from gateway_worker.sandbox.signal.keys import PreKeyBundle, PublicPreKey
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Node

PHONE: Final = 0
REMEMBERED_MESSAGES: Final = 2048


class Device(Protocol):
    """Where stanzas for one device go: a connection or a simulated phone."""

    @property
    def jid(self) -> Jid:
        """The LID address of this device."""

    def deliver(self, node: Node) -> None:
        """Take one stanza, in order. Must return at once: queue it and do the work elsewhere.

        A phone acknowledges by returning; a companion by its own receipt or ack stanza.
        """


class Phone(Device, Protocol):
    """A simulated phone: device 0, and the one who can link companions."""

    def pair_code_hello(self, hello: PairCodeHello) -> None:
        """A companion asks to be linked; answer by `CompanionLinking`. Returns at once."""

    def pair_code_finish(self, finish: PairCodeFinish) -> None:
        """The companion used the code; complete the pairing. Returns at once."""


class CompanionLink(Device, Protocol):
    """A companion's connection that is logged in."""

    def drop(self) -> None:
        """Cut it without a stream error."""

    def end(self, end: StreamEnd) -> None:
        """End it with a stream error."""


@dataclass(slots=True, eq=False)
class DeviceRecord:
    """One device of an account; mutable state of the service.

    Attributes:
        number: address by phone number.
        lid: address by LID.
        mailbox: what waits for it, and the way to it while it is online.
        bundle: published keys; `None` before the first publication.
        prekeys: one-time prekeys nobody has taken.
        noise_public: the key that its logins must prove; empty for a phone.
        link: its logged-in connection; always `None` for a phone.
        low_notice_due: whether the next shortage of prekeys is still to be told.
        logins: successful logins.
        seen: messages relayed lately as (target, id), oldest first, to recognise repeats.
    """

    number: Jid
    lid: Jid
    mailbox: Mailbox
    bundle: PreKeyBundle | None = None
    prekeys: deque[PublicPreKey] = field(default_factory=deque)
    noise_public: bytes = b""
    link: CompanionLink | None = None
    low_notice_due: bool = True
    logins: int = 0
    seen: dict[tuple[Jid, str], None] = field(default_factory=dict)

    @property
    def online(self) -> Device | None:
        """Where stanzas for the device go now, or `None` while it is unavailable."""
        return self.mailbox.sink

    def is_repeat(self, target: Jid, message_id: str) -> bool:
        """Remember a message; whether it was known already."""
        key = (target, message_id)
        if key in self.seen:
            return True
        self.seen[key] = None
        if len(self.seen) > REMEMBERED_MESSAGES:
            del self.seen[next(iter(self.seen))]
        return False
