"""Each event comes under its own key, and says of which command it is, by both of its names."""

from collections.abc import Iterator

from gateway_worker.devkit.chaos.audit.verdict import Breach, Offence
from gateway_worker.devkit.chaos.history import EventSeen, History, Kind, PublishedCommand

_OUTCOMES = frozenset({Kind.SUCCEEDED, Kind.FAILED, Kind.RESOLVED})
_ECHOING = _OUTCOMES | {Kind.RECEIPT}


def judge_envelopes(history: History) -> Iterator[Offence]:
    """Look at every event."""
    published = {one.command_id: one for one in history.published}
    for told in history.events_seen:
        if not told.is_routed:
            yield _offence(Breach.MISROUTED, told, f"{told.kind} under another key than its own")
        command = published.get(told.command_id)
        if command is not None:
            yield from _against(command, told)


def _against(command: PublishedCommand, told: EventSeen) -> Iterator[Offence]:
    if told.kind in _OUTCOMES and told.session_id != command.session_id:
        detail = f"{told.kind} of a command of {command.session_id}"
        yield _offence(Breach.COMMAND_CONTRADICTED, told, detail)
    if told.kind in _ECHOING and told.client_ref != command.client_ref:
        name = "no name" if not told.client_ref else "another name"
        yield _offence(Breach.REF_NOT_ECHOED, told, f"{told.kind} with {name}")


def _offence(breach: Breach, told: EventSeen, detail: str) -> Offence:
    identity = told.command_id or told.message_id or told.event_id
    return Offence(breach=breach, session_id=told.session_id, identity=identity, detail=detail)
