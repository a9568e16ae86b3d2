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
    Passkey,
    Point,
    Rule,
    Silence,
    Who,
)
from gateway_worker.sandbox.service.faults import Faults, QueryRefusal, RefusalShape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

COUNTED: Final = (
    "drop_logins",
    "missing_acks",
    "error_acks",
    "lost_receipts",
    "garbled",
    "altered",
    "no_response",
)
_ASKING: Final = "retry"
"""What a receipt holds that asks for a message again. It confirms nothing, and goes out beside the
ack that does: lost alone, it would be a message lost by the service."""
_MATCHES: Final[Mapping[str, Match]] = {"lost_receipts": Match(lacks=(_ASKING,))}


def rules_of(who: Who, faults: Faults) -> Iterator[Rule]:
    """Yield the rules that make faults come true."""
    for name, point, effect in _effects(faults):
        times = getattr(faults, name) if name in COUNTED else None
        if times != 0:
            yield Rule(
                id=_id(who, name),
                point=point,
                who=who,
                match=_MATCHES.get(name, Match()),
                effect=effect,
                times=times,
            )
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


def remaining(who: Who, faults: Faults, applied: Callable[[str], int]) -> Faults:
    """Return what is left of faults.

    Args:
        who: for whom they were set.
        faults: as they were set.
        applied: how often the rule with an id has applied.
    """

    def left(name: str, times: int) -> int:
        return max(times - applied(_id(who, name)), 0)

    failure = faults.login_failure
    if failure is not None:
        failure = replace(failure, times=left("login_failure", failure.times))
    refusals = tuple(
        replace(refusal, times=left(f"refused_queries:{index}", refusal.times))
        for index, refusal in enumerate(faults.refused_queries)
    )
    counts: dict[str, Any] = {name: left(name, getattr(faults, name)) for name in COUNTED}
    return replace(faults, login_failure=failure, refused_queries=refusals, **counts)


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
    if faults.silent:
        yield "silent", Point.STANZA, Silence()
    if faults.passkey:
        yield "passkey", Point.PAIRING, Passkey()
    if faults.no_bundles:
        yield "no_bundles", Point.BUNDLE, Drop()


def _refusal(refusal: QueryRefusal) -> Effect:
    if refusal.shape is RefusalShape.SILENT:
        return Drop()
    return Error(code=refusal.status, shape=refusal.shape, backoff_seconds=refusal.backoff_seconds)


def _id(who: Who, name: str) -> str:
    device = "" if who.device is None else f":{who.device}"
    return f"faults:{who.number}{device}:{name}"
