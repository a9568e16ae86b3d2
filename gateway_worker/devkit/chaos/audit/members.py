"""Who came into groups and went: each is told once, in its order, and nothing that was not so."""

from collections import Counter
from collections.abc import Iterator

from gateway_worker.devkit.chaos.audit.verdict import Breach, Members, Offence
from gateway_worker.devkit.chaos.history import EventSeen, History, Kind, MembersChanged

BEFORE_SECONDS = 1.0
AFTER_SECONDS = 30.0
"""How long before and after a change the death of a host may be the cause of its loss: it waits at
WhatsApp while the session is away, and is confirmed before it is on the disk."""
_Key = tuple[str, str]


def judge_members(history: History) -> Members:
    """Look at every change, and at whatever was told of one."""
    told = [one for one in history.events_seen if one.kind is Kind.MEMBERS]
    times = Counter(map(_told_key, told))
    missing = [one for one in history.members_changed if not times[_key(one)]]
    lost = [one for one in missing if not _is_in_window(one, history)]
    return Members(
        changed=len(history.members_changed),
        told=len(history.members_changed) - len(missing),
        lost_in_window=len(missing) - len(lost),
        offences=(
            *(_offence(Breach.MEMBERS_LOST, one, f"made at {one.at:.2f}") for one in lost),
            *(
                _offence(Breach.MEMBERS_DOUBLED, one, f"{times[_key(one)]} events")
                for one in history.members_changed
                if times[_key(one)] > 1
            ),
            *_unmade(history, told),
        ),
    )


def _is_in_window(one: MembersChanged, history: History) -> bool:
    return any(
        impact.kind.is_sudden
        and impact.at <= one.at + AFTER_SECONDS
        and one.at - BEFORE_SECONDS <= impact.until
        for impact in history.impacts
        if impact.session_id == one.session_id
    )


def _unmade(history: History, told: list[EventSeen]) -> Iterator[Offence]:
    made = set(map(_key, history.members_changed))
    for one in told:
        if _told_key(one) not in made:
            yield Offence(
                breach=Breach.MEMBERS_DOUBLED,
                session_id=one.session_id,
                identity=one.message_id or one.event_id,
                detail="nobody has made it",
            )


def _key(one: MembersChanged) -> _Key:
    return (one.session_id, one.version)


def _told_key(one: EventSeen) -> _Key:
    return (one.session_id, one.message_id)


def _offence(breach: Breach, one: MembersChanged, detail: str) -> Offence:
    return Offence(breach=breach, session_id=one.session_id, identity=one.version, detail=detail)
