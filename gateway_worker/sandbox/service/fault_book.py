"""The rules in force, and whether one of them strikes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from gateway_worker.sandbox.service.errors import UnknownRuleError
from gateway_worker.sandbox.service.fault_rules import Point, Rule, Value, Who
from gateway_worker.sandbox.service.faults import NO_FAULTS, Faults
from gateway_worker.sandbox.service.matching import matches
from gateway_worker.sandbox.service.shorthand import remaining, rules_of
from gateway_worker.sandbox.wire.jid import pn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.wire.node import Node

EffectT = TypeVar("EffectT", bound=Value)

_OF_ACCOUNTS: Final = (Point.LOOKUP, Point.MEDIA_GET, Point.PAIRING)


@dataclass(slots=True, eq=False)
class ActiveRule:
    """A rule and what became of it.

    Attributes:
        rule: as it was added.
        let_through: stanzas that fitted before it applied for the first time.
        applied: how often it has applied.
    """

    rule: Rule
    let_through: int = 0
    applied: int = 0

    def applies(self) -> bool:
        """Note that a stanza fits; whether the rule applies to it."""
        rule = self.rule
        if rule.times is not None and self.applied >= rule.times:
            return False
        if rule.until is not None and datetime.now(UTC) >= rule.until:
            return False
        if self.let_through < rule.after:
            self.let_through += 1
            return False
        self.applied += 1
        return True


class FaultBook:
    """What shall go wrong: rules by id, in the order in which they were added.

    `set` is the short form for the companions of an account, or for one device. It stands for rules
    with ids of their own.
    """

    def __init__(self, *, accounts: Accounts) -> None:
        """Start without a rule; accounts say who is meant."""
        self._accounts = accounts
        self._active: dict[str, ActiveRule] = {}
        self._short: dict[Who, Faults] = {}

    def __iter__(self) -> Iterator[ActiveRule]:
        return iter(tuple(self._active.values()))

    def add(self, rule: Rule) -> None:
        """Put a rule in force, applied to nothing yet; it takes the place of one with its id.

        Raises:
            UnknownAccountError: nobody has the rule's number.
        """
        if rule.who is not None:
            self._accounts.get(pn(rule.who.number))
        self._active[rule.id] = ActiveRule(rule)

    def remove(self, rule_id: str) -> None:
        """End a rule.

        Raises:
            UnknownRuleError: none has this id.
        """
        if self._active.pop(rule_id, None) is None:
            raise UnknownRuleError("there is no rule with this id")

    def set(self, number: str, faults: Faults, *, device: int | None = None) -> None:
        """Replace what this method has set for the same companions; other rules stay.

        Args:
            number: the account.
            faults: what shall go wrong.
            device: one device; without it, all companions of the account.

        Raises:
            UnknownAccountError: there is no such account or device.
        """
        who = self._who(number, device)
        for rule in rules_of(who, self._short.pop(who, NO_FAULTS)):
            self._active.pop(rule.id, None)
        if faults != NO_FAULTS:
            self._short[who] = faults
        for rule in rules_of(who, faults):
            self.add(rule)

    def clear(self, number: str, *, device: int | None = None) -> None:
        """End what `set` has begun; connections that were cut stay cut. Raises as `set`."""
        self.set(number, NO_FAULTS, device=device)

    def get(self, number: str, *, device: int | None = None) -> Faults:
        """Return what is left of what was set for one device, else for its account.

        Raises:
            UnknownAccountError: there is no such account or device.
        """
        who = self._who(number, device)
        own = who if who in self._short or not device else Who(number=who.number)
        return remaining(own, self._short.get(own, NO_FAULTS), self._applied)

    def find(self, rule_id: str) -> ActiveRule | None:
        """Return a rule by its id."""
        return self._active.get(rule_id)

    def consume(
        self,
        point: Point,
        device: DeviceRecord,
        effect: type[EffectT],
        stanza: Node | None = None,
    ) -> EffectT | None:
        """Ask whether something goes wrong here, in this way; one use of the rule is consumed.

        Args:
            point: where.
            device: whose stanza it is, or whose keys or account.
            effect: in which way.
            stanza: what is about to be handled, if there is one.
        """
        found = self.fault(point, device, (effect,), stanza)
        if found is None or not isinstance(found.effect, effect):
            return None
        return found.effect

    def fault(
        self,
        point: Point,
        device: DeviceRecord,
        effects: tuple[type[Value], ...],
        stanza: Node | None = None,
    ) -> Rule | None:
        """Return the rule that applies, of those with one of the effects; see `consume`."""
        for active in self._active.values():
            rule = active.rule
            if (
                rule.point is point
                and isinstance(rule.effect, effects)
                and _is_about(rule, device)
                and matches(rule.match, stanza, self._accounts)
                and active.applies()
            ):
                return rule
        return None

    def _who(self, number: str, device: int | None) -> Who:
        owner = self._accounts.get(pn(number))
        if device is not None:
            self._accounts.device(owner.lid.with_device(device))
        return Who(number=owner.number.user, device=device)

    def _applied(self, rule_id: str) -> int:
        active = self._active.get(rule_id)
        return 0 if active is None else active.applied


def _is_about(rule: Rule, device: DeviceRecord) -> bool:
    who = rule.who
    if who is not None and who.number != device.number.user:
        return False
    if who is not None and who.device is not None:
        return who.device == device.lid.device
    # A rule for companions spares the phone; but some things are about an account as a whole.
    return device.lid.device > 0 or rule.point in _OF_ACCOUNTS
