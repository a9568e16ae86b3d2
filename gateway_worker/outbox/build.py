"""Joins the way of an event: recorded with its change, then published from the outbox."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway_worker.outbox.ports import ChangeStore, EventPublisher, EventTracing, OutboxStore
from gateway_worker.outbox.recorder import Recorder
from gateway_worker.outbox.relay import MEMORY, Memory, Relay


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """What commits changes, and what publishes their events."""

    recorder: Recorder
    relay: Relay


def build_outbox(
    *,
    changes: ChangeStore,
    events: OutboxStore,
    publisher: EventPublisher,
    memory: Memory = MEMORY,
    full_queue_patience_seconds: float = 5.0,
    published: Callable[[str, float], None] = lambda _type, _seconds: None,
    committed: Callable[[int, float], None] = lambda _size, _seconds: None,
    tracing: EventTracing | None = None,
) -> Outbox:
    """Build recorder and relay; nothing begins to run.

    Args:
        changes: Commits changes.
        events: Has what is not published yet.
        publisher: Publishes it.
        memory: How many unpublished events are kept in memory at most.
        full_queue_patience_seconds: How long a full queue of a backend holds up its events.
        published: Called with the type of each published event and its seconds since the commit.
        committed: Called with the size of each commit and how long it took.
        tracing: Traces events; without it none is traced.
    """
    relay = Relay(
        store=events,
        publisher=publisher,
        memory=memory,
        full_queue_patience_seconds=full_queue_patience_seconds,
        published=published,
        tracing=tracing,
    )
    return Outbox(
        recorder=Recorder(store=changes, offer=relay.offer, observe=committed), relay=relay
    )
