"""What must be true after every failure, judged by what the backend and the phone have seen."""

from collections import Counter
from collections.abc import Sequence

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    Event,
    MessageReceived,
    SessionEventEnvelope,
)
from gateway_worker.devkit.backend import Backend
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.failures.traffic import Book, Sent

Outcome = CommandSucceeded | CommandFailed


def unsettled(backend: Backend, phone: Phone, book: Book) -> list[Sent]:
    """Return what has not come to its end yet.

    That are commands without an outcome, successes that the phone has not shown yet, and messages
    without an event.
    """
    outcomes = {
        one.event.correlationid: one.event
        for one in backend.arrivals
        if isinstance(one.event, Outcome)
    }
    shown = {message.text for message in phone.inbox}
    arrived = {
        (one.event.subject, one.event.data.message_id)
        for one in backend.arrivals
        if isinstance(one.event, MessageReceived)
    }
    waiting = [
        sent
        for sent in book.outbound
        if sent.identity not in outcomes
        or (isinstance(outcomes[sent.identity], CommandSucceeded) and sent.text not in shown)
    ]
    return waiting + [
        sent for sent in book.inbound if (sent.session_id, sent.identity) not in arrived
    ]


def faults_of(backend: Backend, phone: Phone, book: Book, *, since: int) -> list[str]:
    """Return every broken promise, one line each.

    Args:
        backend: Saw the events; once each, by id.
        phone: The customer's.
        book: What was sent.
        since: The first arrival of this test.
    """
    events = [one.event for one in backend.arrivals[since:]]
    sessions = dict.fromkeys(sent.session_id for sent in (*book.outbound, *book.inbound))
    return [
        *_outcome_faults(events, phone, book.outbound),
        *_inbound_faults(events, book.inbound),
        *(fault for name in sessions for fault in _order_faults(events, phone, book, name)),
        *(fault for name in sessions for fault in _sequence_faults(backend, name, since)),
    ]


def failures_of(backend: Backend, book: Book) -> list[str]:
    """Return the commands that failed, one line each, with the reason."""
    texts = {sent.identity: sent.text for sent in book.outbound}
    return [
        f"{texts[one.event.correlationid]}: {_named(one.event)}"
        for one in backend.arrivals
        if isinstance(one.event, CommandFailed) and one.event.correlationid in texts
    ]


def _outcome_faults(events: Sequence[Event], phone: Phone, sent: Sequence[Sent]) -> list[str]:
    """One outcome each, and as many messages at the phone as it says."""
    faults = []
    seen = Counter(message.text for message in phone.inbox)
    outcomes: dict[str, list[Outcome]] = {}
    for event in events:
        if isinstance(event, Outcome) and not event.data.repeated:
            outcomes.setdefault(event.correlationid or "", []).append(event)
    for one in sent:
        ends = outcomes.get(one.identity, [])
        if len(ends) != 1:
            faults.append(f"{one.text}: {len(ends)} outcomes: {[_named(end) for end in ends]}")
            continue
        allowed = _allowed(ends[0])
        if seen[one.text] not in allowed:
            faults.append(f"{one.text}: {_named(ends[0])}, but {seen[one.text]} at the phone")
    return faults


def _allowed(outcome: Outcome) -> tuple[int, ...]:
    if isinstance(outcome, CommandSucceeded):
        return (1,)
    return (0, 1) if outcome.data.error.code is ErrorCode.UNCERTAIN else (0,)


def _named(outcome: Outcome) -> str:
    if isinstance(outcome, CommandSucceeded):
        return "succeeded"
    return f"failed ({outcome.data.error.code}: {outcome.data.error.detail})"


def _inbound_faults(events: Sequence[Event], sent: Sequence[Sent]) -> list[str]:
    """One event for every message."""
    arrived = Counter(
        (event.subject, event.data.message_id)
        for event in events
        if isinstance(event, MessageReceived)
    )
    return [
        f"{one.text}: {arrived[one.session_id, one.identity]} events"
        for one in sent
        if arrived[one.session_id, one.identity] != 1
    ]


def _order_faults(events: Sequence[Event], phone: Phone, book: Book, session_id: str) -> list[str]:
    """Messages arrive in the order in which they were sent, on both sides."""
    faults = []
    known = {sent.text: place for place, sent in enumerate(book.outbound)}
    mine = {sent.text for sent in book.outbound if sent.session_id == session_id}
    places = [known[message.text] for message in phone.inbox if message.text in mine]
    if places != sorted(places):
        faults.append(f"{session_id}: out of order at the phone: {places}")
    by_id = {sent.identity: place for place, sent in enumerate(book.inbound)}
    numbers = [
        by_id[event.data.message_id]
        for event in events
        if isinstance(event, MessageReceived)
        and event.subject == session_id
        and event.data.message_id in by_id
    ]
    if numbers != sorted(numbers):
        faults.append(f"{session_id}: out of order at the backend: {numbers}")
    return faults


def _sequence_faults(backend: Backend, session_id: str, since: int) -> list[str]:
    """The session's events have no gap and come in order, from the one before this test on."""
    told = [
        (place, int(one.event.sequence or 0))
        for place, one in enumerate(backend.arrivals)
        if isinstance(one.event, SessionEventEnvelope) and one.event.subject == session_id
    ]
    last = max((number for place, number in told if place < since), default=0)
    now = [number for place, number in told if place >= since]
    expected = list(range(last + 1, last + 1 + len(now)))
    return [] if now == expected else [f"{session_id}: sequence {now}, not {expected}"]
