"""What a hostile backend has made up is told to nobody, and does not stand in another one's way."""

from collections.abc import Iterator

from gateway_worker.devkit.chaos.audit.verdict import Breach, Offence
from gateway_worker.devkit.chaos.history import EventSeen, History, Kind

_ANSWERS = frozenset({Kind.SUCCEEDED, Kind.FAILED, Kind.CONFLICT})


def judge_hostility(history: History) -> Iterator[Offence]:
    """Look for what was forged, for answers to events, and at each id that was used twice."""
    events = {told.event_id for told in history.events_seen}
    refused = {told.command_id for told in history.events_seen if told.kind is Kind.CONFLICT}
    for told in history.events_seen:
        if not history.forged.isdisjoint((told.event_id, told.message_id, told.command_id)):
            yield _offence(Breach.FORGED, told, f"told as {told.kind}")
        elif told.kind in _ANSWERS and told.command_id in events:
            yield _offence(Breach.FORGED, told, "an event was answered as if it were a command")
        elif told.kind is Kind.CONFLICT and told.command_id not in history.reused_ids:
            yield _offence(Breach.COMMAND_CONTRADICTED, told, "refused, but its id was used once")
    for command_id in sorted(history.reused_ids - refused):
        detail = "nothing says that the second command was refused"
        yield Offence(breach=Breach.ID_NOT_REFUSED, identity=command_id, detail=detail)


def _offence(breach: Breach, told: EventSeen, detail: str) -> Offence:
    identity = told.command_id or told.message_id or told.event_id
    return Offence(breach=breach, session_id=told.session_id, identity=identity, detail=detail)
