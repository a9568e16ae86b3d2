"""`Faults`, the short form for one account or device, as rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gateway_worker.sandbox.service.fault_rules import (
    Alter,
    Corrupt,
    Delay,
    Drop,
    Effect,
    Error,
    Failure,
    Match,
    Point,
    Rule,
    Who,
)
from gateway_worker.sandbox.service.faults import NO_FAULTS, Faults, QueryRefusal, RefusalShape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.service.fault_book import FaultBook

COUNTED: Final = (
    "drop_logins",
    "missing_acks",
    "error_acks",
    "lost_receipts",
    "garbled",
    "altered",
    "no_response",
)


class FaultShorthand:
    """What was set as `Faults`, for whom, and what is left of it."""

    def __init__(self, *, rules: FaultBook) -> None:
        """Keep the rules in a book beside those of others."""
        self._rules = rules
        self._set: dict[Who, Faults] = {}

    def set(self, who: Who, faults: Faults) -> None:
        """Replace what was set for this account or device before."""
        for rule in rules_of(who, self._set.pop(who, NO_FAULTS)):
            if self._rules.find(rule.id) is not None:
                self._rules.remove(rule.id)
        if faults != NO_FAULTS:
            self._set[who] = faults
        for rule in rules_of(who, faults):
            self._rules.add(rule)

    def get(self, who: Who) -> Faults:
        """Return what is left: a device's own faults if some were set, else its account's."""
        own = who if who in self._set or not who.device else Who(number=who.number)
        faults = self._set.get(own, NO_FAULTS)
        failure = faults.login_failure
        if failure is not None:
            left = self._left(own, "login_failure", failure.times)
            failure = replace(failure, times=left)
        refusals = tuple(
            replace(refusal, times=self._left(own, f"refused_queries:{index}", refusal.times))
            for index, refusal in enumerate(faults.refused_queries)
        )
        counts: dict[str, Any] = {
            name: self._left(own, name, getattr(faults, name)) for name in COUNTED
        }
        return replace(faults, login_failure=failure, refused_queries=refusals, **counts)

    def _left(self, who: Who, name: str, times: int) -> int:
        active = self._rules.find(_id(who, name))
        return times if active is None else max(times - active.applied, 0)


def rules_of(who: Who, faults: Faults) -> Iterator[Rule]:
    """Yield the rules that make faults come true."""
    for name, point, effect in _effects(faults):
        times = getattr(faults, name) if name in COUNTED else None
        if times != 0:
            yield Rule(id=_id(who, name), point=point, who=who, effect=effect, times=times)
    failure = faults.login_failure
    if failure is not None:
        effect = Failure(
            reason=failure.reason,
            ban_code=failure.ban_code,
            expire_seconds=failure.expire_seconds,
        )
        yield Rule(
            id=_id(who, "login_failure"),
            point=Point.LOGIN,
            who=who,
            effect=effect,
            times=failure.times,
        )
    for index, refusal in enumerate(faults.refused_queries):
        yield Rule(
            id=_id(who, f"refused_queries:{index}"),
            point=Point.IQ,
            who=who,
            match=Match(query=refusal.query, about=refusal.about),
            effect=_refusal(refusal),
            times=refusal.times,
        )


def _effects(faults: Faults) -> Iterator[tuple[str, Point, Effect]]:
    yield "drop_logins", Point.LOGIN, Drop()
    yield "missing_acks", Point.ACK, Drop()
    yield "error_acks", Point.MESSAGE, Error(code=faults.ack_error)
    yield "lost_receipts", Point.RECEIPT, Drop()
    yield "garbled", Point.DELIVERY, Corrupt()
    yield "altered", Point.DELIVERY, Alter(attrs=faults.alterations)
    yield "no_response", Point.IQ, Drop()
    if faults.ack_delay_seconds:
        yield "ack_delay_seconds", Point.ACK, Delay(seconds=faults.ack_delay_seconds)
    if faults.unregistered:
        yield "unregistered", Point.LOOKUP, Drop()
    if faults.no_bundles:
        yield "no_bundles", Point.BUNDLE, Drop()


def _refusal(refusal: QueryRefusal) -> Effect:
    if refusal.shape is RefusalShape.SILENT:
        return Drop()
    return Error(code=refusal.status, shape=refusal.shape, backoff_seconds=refusal.backoff_seconds)


def _id(who: Who, name: str) -> str:
    device = "" if who.device is None else f":{who.device}"
    return f"faults:{who.number}{device}:{name}"
