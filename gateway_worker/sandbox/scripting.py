"""Faults by rule and by phone number: the handle behind `Sandbox.faults`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway_worker.sandbox.service.faults import NO_FAULTS, Faults, StreamEnd
from gateway_worker.sandbox.wire.jid import pn

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.fault_book import ActiveRule
    from gateway_worker.sandbox.service.fault_rules import Rule
    from gateway_worker.sandbox.service.interface import LinkState, Scripting
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Node


class Reachability(Protocol):
    """A server that can vanish and come back on the same port."""

    async def accept_connections(self) -> None:
        """Listen (again); a no-op while listening."""

    async def refuse_connections(self) -> None:
        """Cut every connection and stop listening."""


class FaultControl:
    """What shall go wrong for the companions of an account.

    `device` picks one companion by its number; without it a call is about all of them. Every method
    raises `UnknownAccountError` when the number or the device does not exist.
    """

    def __init__(self, *, service: Scripting, server: Reachability) -> None:
        self._service = service
        self._server = server

    def set(self, number: str, faults: Faults, *, device: int | None = None) -> None:
        """Replace what this method has set for the same companions; other rules stay."""
        self._service.set_faults(pn(number), faults, device=device)

    def clear(self, number: str, *, device: int | None = None) -> None:
        """End what `set` has begun; connections that were cut stay cut."""
        self._service.set_faults(pn(number), NO_FAULTS, device=device)

    def get(self, number: str, *, device: int | None = None) -> Faults:
        """Return what is left of what was set for one companion, else for its account."""
        return self._service.faults(pn(number), device=device)

    def add(self, rule: Rule) -> None:
        """Put a rule in force; it takes the place of one with the same id.

        Raises:
            UnknownAccountError: nobody has the rule's number.
        """
        if rule.who is not None:
            self._service.links(pn(rule.who.number))
        self._service.rules.add(rule)

    def remove(self, rule_id: str) -> None:
        """End a rule.

        Raises:
            UnknownRuleError: none has this id.
        """
        self._service.rules.remove(rule_id)

    @property
    def rules(self) -> tuple[ActiveRule, ...]:
        """All rules, those that `set` has made among them, with what became of each."""
        return tuple(self._service.rules)

    def links(self, number: str) -> tuple[LinkState, ...]:
        """Return the state of each companion, lowest device first."""
        return self._service.links(pn(number))

    def drop_link(self, number: str, *, device: int | None = None) -> int:
        """Cut connections without a word; returns how many there were."""
        return sum(self._service.drop_link(one) for one in self._devices(number, device))

    def end_stream(self, number: str, end: StreamEnd, *, device: int | None = None) -> int:
        """End connections with a stream error; returns how many there were."""
        return sum(self._service.end_stream(one, end) for one in self._devices(number, device))

    def inject(self, number: str, node: Node, *, device: int | None = None) -> int:
        """Send any stanza, as it stands, to companions that are connected; returns to how many.

        Nothing is checked or kept: what a client makes of it is the question. Addresses among the
        attributes are `Jid`, the rest is text.
        """
        return sum(self._service.inject(one, node) for one in self._devices(number, device))

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
        return sum(self._service.push(one, node) for one in self._devices(number, device))

    async def service_down(self) -> None:
        """Make the whole service unreachable: every connection is cut and none is accepted."""
        await self._server.refuse_connections()

    async def service_up(self) -> None:
        """Undo `service_down`."""
        await self._server.accept_connections()

    def _devices(self, number: str, device: int | None) -> tuple[Jid, ...]:
        if device is not None:
            return (pn(number, device),)
        return tuple(link.device for link in self._service.links(pn(number)))
