"""One outcome for each command, and as many messages at the phone as the outcome says."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway_contracts import ErrorCode
from gateway_worker.devkit.chaos.audit.verdict import Breach, Commands, Offence
from gateway_worker.devkit.chaos.history import (
    EventSeen,
    History,
    Impact,
    ImpactKind,
    Kind,
    PublishedCommand,
    Purpose,
    SeenByPhone,
)

_OUTCOMES = frozenset({Kind.SUCCEEDED, Kind.FAILED})
_SLACK_SECONDS = 1.0
"""Between the moment that a fault is noted and the moment that it strikes."""


@dataclass(slots=True)
class _Copies:
    """What phones show under one label: by which ids, and where."""

    ids: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)


def judge_commands(history: History) -> Commands:
    """Look at every command."""
    outcomes: dict[str, list[EventSeen]] = defaultdict(list)
    for told in history.events_seen:
        if told.kind in _OUTCOMES:
            outcomes[told.command_id].append(told)
    resolutions = [told for told in history.events_seen if told.kind is Kind.RESOLVED]
    resolved = {told.command_id: told for told in resolutions}
    shown: dict[str, _Copies] = defaultdict(_Copies)
    for message in history.seen_by_phones:
        shown[message.text].ids.add(message.message_id)
        shown[message.text].phones.add(message.phone)
    impacts = _by_session(impact for impact in history.impacts if not impact.kind.is_harmless)
    refused = {
        one.command_id
        for one in history.published
        if one.purpose is Purpose.BULK and _is_failed(_first(outcomes[one.command_id]))
    }
    published = [one for one in history.published if one.bulk not in refused]
    ends = {one.command_id: _first(outcomes[one.command_id]) for one in published}
    uncertain = [one for one in published if _is_uncertain(ends[one.command_id])]
    causes = {one.command_id: _cause(one, ends[one.command_id], impacts) for one in uncertain}
    explained = [one for one in uncertain if causes[one.command_id]]
    unanswered, held_up = (
        _caught_in(kind, history, explained, ends)
        for kind in (ImpactKind.SILENCED, ImpactKind.HELD_UP)
    )
    offences = [
        offence
        for one in published
        for offence in _offences(
            one,
            outcomes[one.command_id],
            shown.get(one.text, _Copies()),
            resolved.get(one.command_id),
        )
    ]
    offences += [
        _offence(Breach.UNCERTAIN_UNEXPLAINED, one, "nothing hit the session's host meanwhile")
        for one in uncertain
        if not causes[one.command_id]
    ]
    times_resolved = Counter(told.command_id for told in resolutions)
    offences += [
        _offence(Breach.COMMAND_DOUBLED, one, f"resolved {times_resolved[one.command_id]} times")
        for one in published
        if times_resolved[one.command_id] > 1
    ]
    certain = [end for end in ends.values() if end is not None and not _is_uncertain(end)]
    return Commands(
        published=len(published),
        succeeded=sum(end.kind is Kind.SUCCEEDED for end in certain),
        failed=Counter(end.code for end in certain if end.kind is Kind.FAILED),
        uncertain=len(uncertain),
        explained=Counter(cause for cause in causes.values() if cause),
        identified=sum(bool(_message_id(ends[one.command_id])) for one in uncertain),
        resolved=sum(one.command_id in resolved for one in uncertain),
        arrived=sum(one.text in shown for one in uncertain),
        unanswered=len(unanswered),
        held_up=len(held_up - unanswered),
        blamed=Counter(
            cause
            for one, cause in causes.items()
            if cause and one not in unanswered | held_up and one not in resolved
        ),
        shared=sum(
            len(one.readers) > 1 and one.chat not in history.unconfirmed for one in published
        ),
        contents=Counter(
            one.content for one in published if one.content and _succeeded(ends[one.command_id])
        ),
        offences=(
            *offences,
            *_unasked(history.published, history.seen_by_phones),
            *_astray(history.published, history.seen_by_phones),
        ),
    )


def _offences(
    one: PublishedCommand,
    outcomes: Sequence[EventSeen],
    copies: _Copies,
    resolved: EventSeen | None,
) -> Iterable[Offence]:
    """Hold the outcomes of one command against each other and against the phone."""
    firsts = [told for told in outcomes if not told.repeated]
    if not firsts:
        yield _offence(Breach.COMMAND_LOST, one, f"no outcome, {len(copies.ids)} at the phone")
        return
    if len(firsts) > 1:
        ends = ", ".join(_name(told) for told in firsts)
        yield _offence(Breach.COMMAND_DOUBLED, one, f"{len(firsts)} outcomes: {ends}")
    elif any(_end(told) not in _ends(firsts[0], resolved) for told in outcomes):
        ends = ", ".join(sorted({_name(told) for told in outcomes}))
        yield _offence(Breach.COMMAND_DOUBLED, one, f"told differently when repeated: {ends}")
    if resolved is not None and not _is_uncertain(firsts[0]):
        yield _offence(Breach.COMMAND_CONTRADICTED, one, "resolved, though it was not uncertain")
    if resolved is not None and (resolved.sequence or 0) <= (firsts[0].sequence or 0):
        yield _offence(Breach.COMMAND_CONTRADICTED, one, "resolved before it was uncertain")
    if resolved is not None and resolved.message_id not in copies.ids:
        detail = f"resolved as {resolved.message_id}, not at the phone"
        yield _offence(Breach.COMMAND_CONTRADICTED, one, detail)
    if one.purpose in (Purpose.SEND, Purpose.LATER):
        yield from _against_phone(one, firsts[0], copies)
    elif one.purpose is Purpose.CHECK and _is_uncertain(firsts[0]):
        yield _offence(Breach.COMMAND_CONTRADICTED, one, "a question cannot be uncertain")


def _against_phone(one: PublishedCommand, end: EventSeen, copies: _Copies) -> Iterable[Offence]:
    """Hold the end of a send against what all its readers have."""
    # Members of a group ask for what they cannot read; who is left out of a status post cannot.
    excused = end.left_out if one.content == "status" else 0
    missing = sum(reader not in copies.phones for reader in one.readers) - excused
    if len(copies.ids) > 1:
        ids = ", ".join(sorted(copies.ids))
        yield _offence(Breach.COMMAND_DOUBLED, one, f"at the phone as {ids}")
    elif end.kind is Kind.SUCCEEDED and not copies.ids:
        detail = f"succeeded as {end.message_id}, not at the phone"
        yield _offence(Breach.COMMAND_LOST, one, detail)
    elif end.kind is Kind.SUCCEEDED and end.message_id not in copies.ids:
        detail = f"succeeded as {end.message_id}, at the phone as {min(copies.ids)}"
        yield _offence(Breach.COMMAND_CONTRADICTED, one, detail)
    elif end.kind is Kind.SUCCEEDED and missing > 0:
        detail = f"succeeded as {end.message_id}, not at {missing} of {len(one.readers)} phones"
        yield _offence(Breach.COMMAND_LOST, one, detail)
    elif end.kind is Kind.FAILED and copies.ids and not _is_uncertain(end):
        yield _offence(Breach.COMMAND_CONTRADICTED, one, f"{_name(end)}, but at the phone")


def _unasked(issued: Iterable[PublishedCommand], shown: Iterable[SeenByPhone]) -> Iterable[Offence]:
    """Name what a phone shows and nobody has asked for."""
    known = {one.text for one in issued}
    return [
        Offence(
            breach=Breach.COMMAND_CONTRADICTED,
            session_id=message.session_id,
            identity=message.message_id,
            detail="at the phone without a command",
        )
        for message in shown
        if message.text not in known
    ]


def _astray(issued: Iterable[PublishedCommand], shown: Iterable[SeenByPhone]) -> Iterable[Offence]:
    """Name what changes another message than it was to."""
    targets = {one.text: one.about for one in issued}
    return [
        Offence(
            breach=Breach.COMMAND_CONTRADICTED,
            session_id=message.session_id,
            identity=message.message_id,
            detail=f"about {message.about or 'no message'}, not {targets[message.text] or 'any'}",
        )
        for message in shown
        if targets.get(message.text, message.about) != message.about
    ]


def _cause(one: PublishedCommand, end: EventSeen | None, impacts: dict[str, list[Impact]]) -> str:
    """Return what hit the session's host between a command's publication and its outcome.

    If nothing did, WhatsApp may have been away: an answer that it could not deliver is lost.
    """
    hits = (impact.kind.value for impact in impacts[one.session_id] if _overlaps(impact, one, end))
    return next(hits, "")


def _caught_in(
    kind: ImpactKind,
    history: History,
    commands: Iterable[PublishedCommand],
    ends: Mapping[str, EventSeen | None],
) -> set[str]:
    """Name the commands that were under way while their session was hit in some way."""
    hits = _by_session(impact for impact in history.impacts if impact.kind is kind)
    return {
        one.command_id
        for one in commands
        if any(_overlaps(hit, one, ends[one.command_id]) for hit in hits[one.session_id])
    }


def _overlaps(impact: Impact, one: PublishedCommand, end: EventSeen | None) -> bool:
    assert end is not None
    return impact.at <= end.at + _SLACK_SECONDS and impact.until >= one.at - _SLACK_SECONDS


def _by_session(impacts: Iterable[Impact]) -> dict[str, list[Impact]]:
    """Sort them: kills first, as the plainest explanation, silence last."""
    sorted_blows: dict[str, list[Impact]] = defaultdict(list)
    for impact in sorted(
        impacts,
        key=lambda impact: (
            not impact.kind.is_sudden,
            impact.kind is ImpactKind.SILENCED,
            impact.at,
        ),
    ):
        sorted_blows[impact.session_id].append(impact)
    return sorted_blows


def _first(outcomes: Sequence[EventSeen]) -> EventSeen | None:
    return next((told for told in outcomes if not told.repeated), None)


def _message_id(end: EventSeen | None) -> str:
    return "" if end is None else end.message_id


def _succeeded(end: EventSeen | None) -> bool:
    return end is not None and end.kind is Kind.SUCCEEDED


def _is_failed(end: EventSeen | None) -> bool:
    return end is not None and end.kind is Kind.FAILED


def _is_uncertain(end: EventSeen | None) -> bool:
    return end is not None and end.code == ErrorCode.UNCERTAIN


def _ends(first: EventSeen, resolved: EventSeen | None) -> set[tuple[Kind, str, str]]:
    """Return what may be told of a command: its end, and what has become of it."""
    ends = {_end(first)}
    if resolved is not None:
        ends.add((Kind.SUCCEEDED, "", resolved.message_id))
    return ends


def _end(told: EventSeen) -> tuple[Kind, str, str]:
    return (told.kind, told.code, told.message_id)


def _name(told: EventSeen) -> str:
    return told.code or told.kind.value


def _offence(breach: Breach, one: PublishedCommand, detail: str) -> Offence:
    return Offence(breach=breach, session_id=one.session_id, identity=one.command_id, detail=detail)
