"""Order: outcomes and messages follow the commands, events their numbers, arrivals the writer."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateway_worker.devkit.chaos.audit.arrivals import held_on_disk
from gateway_worker.devkit.chaos.audit.takeovers import Takeovers
from gateway_worker.devkit.chaos.audit.verdict import Breach, Offence
from gateway_worker.devkit.chaos.history import (
    History,
    ImpactKind,
    Kind,
    PublishedCommand,
    Purpose,
    SeenByPhone,
)

_Step = tuple[int, str]
"""A place in the order that should be, and the id of what has it."""
_Stream = tuple[str, ...]
"""A session, and what else tells apart what has an order of its own there."""

_SLACK_SECONDS = 1.0
"""A command may be on its way for so long when a binding is deleted."""


_WITHOUT_ORDER = frozenset({Purpose.CHECK, Purpose.LATER, Purpose.BULK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What came after something that should have followed it.

    Attributes:
        late: Messages and changes of members out of order that could not have come earlier: they
            were on the disk of a worker whose session another one had taken over.
    """

    offences: tuple[Offence, ...]
    late: tuple[Offence, ...]


def judge_order(history: History) -> Order:
    """Look at every stream of every session."""
    takeovers = Takeovers(history)
    arrived = [
        *_judge("message received", _received(history)),
        *_judge("change of members", _members(history)),
    ]
    from_disk = held_on_disk(history, takeovers) | _changes_on_disk(history, takeovers)
    late = [one for one in arrived if (one.session_id, one.identity) in from_disk]
    return Order(
        offences=(
            *_judge_outcomes(history),
            *_judge("message at the phone", _at_phones(history)),
            *_judge("event", _events(history)),
            *(one for one in arrived if one not in late),
        ),
        late=tuple(late),
    )


def _judge(what: str, streams: dict[_Stream, list[_Step]]) -> Iterator[Offence]:
    """Name everything that came after something that should have followed it."""
    for (session_id, *_), steps in streams.items():
        highest = -1
        for place, identity in steps:
            if place < highest:
                detail = f"{what}: {place} came after {highest}"
                yield Offence(
                    breach=Breach.OUT_OF_ORDER,
                    session_id=session_id,
                    identity=identity,
                    detail=detail,
                )
            highest = max(highest, place)


def _judge_outcomes(history: History) -> Iterator[Offence]:
    """A send comes after all that was sent to its chat before; a move may overtake sends that wait.

    Questions overtake all of these, and each other where a session moves. What is sent later is
    overtaken by all.
    """
    moves = {one.command_id for one in history.published if one.purpose is Purpose.MIGRATE}
    checks = {one.command_id for one in history.published if one.purpose in _WITHOUT_ORDER}
    chats = {one.command_id: one.chat for one in history.published}
    yield from _judge("outcome", _outcomes(history, without=moves | checks, chats=chats))
    # Among all outcomes only a move that came late is an offence: what it has overtaken is late too
    everything = _judge("outcome", _outcomes(history, without=checks, chats={}))
    yield from (one for one in everything if one.identity in moves)


def _outcomes(
    history: History, *, without: Container[str], chats: Mapping[str, str]
) -> dict[_Stream, list[_Step]]:
    places = {
        one.command_id: one.place for one in _in_line(history) if one.command_id not in without
    }
    return _grouped(
        (
            (told.session_id, chats.get(told.command_id, "")),
            (places[told.command_id], told.command_id),
        )
        for told in history.events_seen
        if told.kind in {Kind.SUCCEEDED, Kind.FAILED}
        and not told.repeated
        and told.command_id in places
    )


def _at_phones(history: History) -> dict[_Stream, list[_Step]]:
    """Each text where it is first shown on each phone, by chat.

    What the phone could not read at first comes when the session has sent it again: no order. That
    happens when a session goes on with a store that is older than its last sends.
    """
    places = {
        one.text: (one.chat, (one.place, one.command_id))
        for one in _in_line(history)
        if one.purpose is Purpose.SEND
    }
    firsts: dict[tuple[str, str], SeenByPhone] = {}
    for message in history.seen_by_phones:
        firsts.setdefault((message.phone, message.text), message)
    return _grouped(
        ((message.session_id, phone, places[text][0]), places[text][1])
        for (phone, text), message in firsts.items()
        if text in places and not message.asked_again
    )


def _in_line(history: History) -> Iterator[PublishedCommand]:
    """All commands but those that were issued while their session's binding may have been gone."""
    reroutes = [impact for impact in history.impacts if impact.kind is ImpactKind.REROUTED]
    for one in history.published:
        if not any(
            impact.session_id == one.session_id
            and impact.at - _SLACK_SECONDS <= one.at <= impact.until
            for impact in reroutes
        ):
            yield one


def _events(history: History) -> dict[_Stream, list[_Step]]:
    return _grouped(
        ((told.session_id,), (told.sequence, told.event_id))
        for told in history.events_seen
        if told.sequence is not None
    )


def _received(history: History) -> dict[_Stream, list[_Step]]:
    """What was unreadable at first comes when the writer's phone has sent it again: no order."""
    unreadable = {
        (told.session_id, told.message_id)
        for told in history.events_seen
        if told.kind is Kind.UNDECRYPTABLE
    }
    sent = {(one.session_id, one.message_id): one for one in history.sent_by_phones}
    arrived = (
        sent[told.session_id, told.message_id]
        for told in history.events_seen
        if told.kind is Kind.RECEIVED
        and (told.session_id, told.message_id) in sent
        and (told.session_id, told.message_id) not in unreadable
    )
    return _grouped(((one.session_id, one.stream), (one.place, one.message_id)) for one in arrived)


def _members(history: History) -> dict[_Stream, list[_Step]]:
    places = {(one.session_id, one.version): one.place for one in history.members_changed}
    return _grouped(
        ((told.session_id,), (places[told.session_id, told.message_id], told.message_id))
        for told in history.events_seen
        if told.kind is Kind.MEMBERS and (told.session_id, told.message_id) in places
    )


def _changes_on_disk(history: History, takeovers: Takeovers) -> frozenset[tuple[str, str]]:
    """Return the changes that a former owner's host may have had: nobody sees it confirm them."""
    made = {(one.session_id, one.version): one.at for one in history.members_changed}
    return frozenset(
        key
        for told in history.events_seen
        if told.kind is Kind.MEMBERS
        and (key := (told.session_id, told.message_id)) in made
        and takeovers.explain(told, arrived_at=made[key])
    )


def _grouped(steps: Iterable[tuple[_Stream, _Step]]) -> dict[_Stream, list[_Step]]:
    streams: dict[_Stream, list[_Step]] = defaultdict(list)
    for stream, step in steps:
        streams[stream].append(step)
    return streams
