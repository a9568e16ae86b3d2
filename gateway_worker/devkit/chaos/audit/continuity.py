"""No gap in a session's events, and no session that asks for a new QR code or stays away."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from gateway_contracts import SessionState
from gateway_worker.devkit.chaos.audit.verdict import Breach, Offence
from gateway_worker.devkit.chaos.history import EventSeen, History, Kind

_ASKS_FOR_PAIRING = frozenset(
    {SessionState.CREATED, SessionState.PAIRING, SessionState.LOGGED_OUT, SessionState.FAILED}
)


def judge_continuity(history: History) -> tuple[Offence, ...]:
    """Look at every session."""
    events: dict[str, list[EventSeen]] = defaultdict(list)
    for told in history.events_seen:
        events[told.session_id].append(told)
    return tuple(
        offence
        for session_id in history.sessions
        for judge in (_gaps, _pairing)
        for offence in judge(session_id, events[session_id])
    )


def _gaps(session_id: str, events: Iterable[EventSeen]) -> Iterable[Offence]:
    """From 1 to the last, each number once."""
    numbers = Counter(told.sequence for told in events if told.sequence is not None)
    for number in range(1, max(numbers, default=0) + 1):
        if numbers[number] != 1:
            yield Offence(
                breach=Breach.EVENT_GAP,
                session_id=session_id,
                identity=str(number),
                detail="missing" if not numbers[number] else f"{numbers[number]} events have it",
            )


def _pairing(session_id: str, events: Iterable[EventSeen]) -> Iterable[Offence]:
    """Judge the end, and each code that came after the session had been linked."""
    in_order = sorted(events, key=lambda told: told.sequence or 0)
    linked = False
    last: EventSeen | None = None
    for told in in_order:
        if told.kind is Kind.STATUS:
            last = told
            linked = linked or told.state is SessionState.CONNECTED
        elif told.kind is Kind.QR and linked:
            yield _offence(Breach.NEW_QR, session_id, told, "a code after it was linked")
            return
    if last is None or last.state is SessionState.CONNECTED:
        return
    asks = last.state in _ASKS_FOR_PAIRING
    detail = f"{last.state}, {last.reason}, on {last.worker}"
    yield _offence(Breach.NEW_QR if asks else Breach.NOT_CONNECTED, session_id, last, detail)


def _offence(breach: Breach, session_id: str, told: EventSeen, detail: str) -> Offence:
    return Offence(breach=breach, session_id=session_id, identity=told.event_id, detail=detail)
