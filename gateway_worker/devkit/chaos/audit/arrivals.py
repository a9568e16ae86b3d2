"""One event for each message that a phone wrote, unless the library had it when its host died."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from gateway_worker.devkit.chaos.audit.takeovers import Takeovers
from gateway_worker.devkit.chaos.audit.verdict import Breach, Inbound, Offence
from gateway_worker.devkit.chaos.history import EventSeen, History, Impact, Kind, SentByPhone

WINDOW_SECONDS = 2.0
"""How long after a message its host's death may be the cause of its loss."""
POST_SECONDS = 30.0
"""The same for what was posted in a channel, which may wait at WhatsApp while the session is away:
nobody knows when it was confirmed."""
_SECOND = 1.0
"""Receipts tell their time in whole seconds."""
_Key = tuple[str, str]


def judge_inbound(history: History) -> Inbound:
    """Look at every message that the phones wrote."""
    arrived: Counter[_Key] = Counter(
        (told.session_id, told.message_id)
        for told in history.events_seen
        if told.kind is Kind.RECEIVED
    )
    unreadable = {
        (told.session_id, told.message_id): told
        for told in history.events_seen
        if told.kind is Kind.UNDECRYPTABLE
    }
    impacts: dict[str, list[Impact]] = defaultdict(list)
    for impact in history.impacts:
        impacts[impact.session_id].append(impact)
    missing = [one for one in history.sent_by_phones if not arrived[_key(one)]]
    inside = [
        one
        for one in missing
        if _is_in_window(one, unreadable.get(_key(one)), impacts[one.session_id])
    ]
    outside = [one for one in missing if one not in inside]
    return Inbound(
        sent=len(history.sent_by_phones),
        posted=sum(one.is_post for one in history.sent_by_phones),
        delivered=len(history.sent_by_phones) - len(missing),
        lost_in_window=tuple(_lost(one, unreadable) for one in inside),
        unreadable=len(unreadable),
        offences=(
            *(_lost(one, unreadable) for one in outside),
            *_doubled(history.sent_by_phones, arrived),
            *_unwritten(history),
            *_changed(history),
        ),
    )


def held_on_disk(history: History, takeovers: Takeovers) -> frozenset[_Key]:
    """Return what a former owner's host may have had of a session that was taken over.

    It had what it has confirmed. A post nobody sees it confirm, so that its own moment counts.
    """
    arrivals: dict[_Key, EventSeen] = {}
    for told in history.events_seen:
        if told.kind is Kind.RECEIVED:
            arrivals.setdefault((told.session_id, told.message_id), told)
    return frozenset(
        _key(one)
        for one in history.sent_by_phones
        if (arrived_at := one.at if one.is_post else one.confirmed_at) is not None
        and (arrival := arrivals.get(_key(one))) is not None
        and takeovers.explain(arrival, arrived_at=arrived_at)
    )


def _is_in_window(
    one: SentByPhone, unreadable: EventSeen | None, impacts: Iterable[Impact]
) -> bool:
    """Whether the library had decrypted a message when its process died.

    Either it was confirmed just before, or WhatsApp sent it again and the library, whose store says
    that its key is used, announced it.
    """
    kills = [impact for impact in impacts if impact.kind.is_sudden]
    if unreadable is not None:
        return any(one.at - _SECOND <= kill.until and kill.at <= unreadable.at for kill in kills)
    if one.is_post:
        return any(
            one.at - _SECOND <= kill.until and kill.at <= one.at + POST_SECONDS for kill in kills
        )
    if one.confirmed_at is None:
        return False
    return any(
        one.confirmed_at - _SECOND <= kill.until
        and kill.at <= one.confirmed_at + WINDOW_SECONDS + _SECOND
        for kill in kills
    )


def _lost(one: SentByPhone, unreadable: dict[_Key, EventSeen]) -> Offence:
    announced = "announced as unreadable" if _key(one) in unreadable else "not announced"
    confirmed = "never" if one.confirmed_at is None else f"{one.confirmed_at:.0f}"
    return Offence(
        breach=Breach.MESSAGE_LOST,
        session_id=one.session_id,
        identity=one.message_id,
        detail=f"written at {one.at:.2f}, confirmed at {confirmed}, {announced}",
    )


def _doubled(written: Iterable[SentByPhone], arrived: Counter[_Key]) -> Iterable[Offence]:
    for one in written:
        if arrived[_key(one)] > 1:
            yield Offence(
                breach=Breach.MESSAGE_DOUBLED,
                session_id=one.session_id,
                identity=one.message_id,
                detail=f"{arrived[_key(one)]} events",
            )


def _unwritten(history: History) -> Iterable[Offence]:
    """Name what was announced and nobody has written."""
    known = {_key(one) for one in history.sent_by_phones}
    for told in history.events_seen:
        if told.kind is Kind.RECEIVED and (told.session_id, told.message_id) not in known:
            yield Offence(
                breach=Breach.MESSAGE_DOUBLED,
                session_id=told.session_id,
                identity=told.message_id,
                detail="nobody has written it",
            )


def _changed(history: History) -> Iterable[Offence]:
    """Name what says something else than what was written."""
    written = {_key(one): one.text for one in history.sent_by_phones if one.text}
    for told in history.events_seen:
        key = (told.session_id, told.message_id)
        if told.kind is Kind.RECEIVED and written.get(key, told.text) != told.text:
            yield Offence(
                breach=Breach.MESSAGE_CHANGED,
                session_id=told.session_id,
                identity=told.message_id,
                detail="it does not say what was written" if told.text else "it says nothing",
            )


def _key(one: SentByPhone) -> _Key:
    return (one.session_id, one.message_id)
