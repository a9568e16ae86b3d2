"""Companions' connections: their state, their end, and stanzas that no device sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.devices import PHONE
from gateway_worker.sandbox.service.errors import UnknownAccountError
from gateway_worker.sandbox.service.pushing import push
from gateway_worker.sandbox.wire.jid import pn

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.devices import CompanionLink, DeviceRecord
    from gateway_worker.sandbox.service.faults import StreamEnd
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """One companion's link, for control and for tests.

    Attributes:
        device: its LID address.
        online: whether it holds a logged-in connection now.
        pending: stanzas that wait for its acknowledgement.
        prekeys: one-time prekeys left on the server.
        logins: successful logins since it was paired.
    """

    device: Jid
    online: bool
    pending: int
    prekeys: int
    logins: int


class Connections:
    """The connections of an account's companions, by the account's phone number.

    `device` picks one companion by its number; without it a call is about all of them. Every method
    raises `UnknownAccountError` when the number or the device does not exist.
    """

    def __init__(self, *, accounts: Accounts) -> None:
        """Work on the service's accounts."""
        self._accounts = accounts

    def links(self, number: str) -> tuple[LinkState, ...]:
        """Return the state of each companion, lowest device first."""
        return tuple(
            LinkState(
                device=record.lid,
                online=record.link is not None,
                pending=len(record.mailbox),
                prekeys=len(record.prekeys),
                logins=record.logins,
            )
            for record in self._accounts.get(pn(number)).companions
        )

    def drop(self, number: str, *, device: int | None = None) -> int:
        """Cut connections without a stream error; returns how many there were."""
        links = self._links(number, device)
        for link in links:
            link.drop()
        return len(links)

    def end(self, number: str, end: StreamEnd, *, device: int | None = None) -> int:
        """End connections with a stream error; returns how many there were."""
        links = self._links(number, device)
        for link in links:
            link.end(end)
        return len(links)

    def inject(self, number: str, node: Node, *, device: int | None = None) -> int:
        """Send any stanza, as it stands, to companions that are connected; returns to how many.

        Nothing is checked or kept: what a client makes of it is the question. Addresses among the
        attributes are `Jid`, the rest is text.
        """
        links = self._links(number, device)
        for link in links:
            link.deliver(node)
        return len(links)

    def push(self, number: str, node: Node, *, device: int | None = None) -> int:
        """Send companions any stanza as the service does; returns how many have it or will get it.

        What a client confirms (a message, receipt, notification or call) gets an id, a time and the
        service as its sender where these are missing, and waits for who is unavailable; the rest is
        for who is connected. Addresses among the attributes are `Jid`, the rest is text.

        Args:
            number: the account.
            node: the stanza.
            device: one device, 0 being the phone; without it, all companions.
        """
        return sum(push(record, node) for record in self._devices(number, device))

    def _links(self, number: str, device: int | None) -> list[CompanionLink]:
        if device == PHONE:
            raise UnknownAccountError("a phone has no link")
        records = self._devices(number, device)
        return [record.link for record in records if record.link is not None]

    def _devices(self, number: str, device: int | None) -> tuple[DeviceRecord, ...]:
        if device is not None:
            return (self._accounts.device(pn(number, device)),)
        return self._accounts.get(pn(number)).companions
