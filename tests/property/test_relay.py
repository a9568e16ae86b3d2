"""Whatever becomes of publications and in whatever turn commits are told: order, and no gap.

The relay runs between a table and a broker in memory. Transactions get their places in the table
before they end, some of them much later; what they have written is read from the table before it is
offered, or after it. A publication is stored and confirmed, or stored and not confirmed, or neither
(a nack, a return, a channel or a connection that is lost).
"""

import asyncio
import math
import random
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.outbox.ports import Backlog, EventPublisher, FullQueueError, OutboxStore
from gateway_worker.outbox.relay import Memory, Relay
from gateway_worker.sessions.changes import OutboxRow

SESSIONS: Final = ("a", "b", "c")
STEPS: Final = 60
SEEDS: Final = range(40)
MEMORY: Final = Memory(rows=12)


async def turns(count: int) -> None:
    """Let others run for so many turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


@dataclass(slots=True)
class SteppedOutbox(OutboxStore):
    """The outbox: what is committed and not marked."""

    dice: random.Random
    rows: dict[int, OutboxRow] = field(default_factory=dict)

    async def pending(self, *, after: int, limit: int) -> Sequence[OutboxRow]:
        """Take a picture at some moment, and return it at a later one."""
        await turns(self.dice.randrange(4))
        found = [self.rows[place] for place in sorted(self.rows) if place > after][:limit]
        await turns(self.dice.randrange(4))
        return found

    async def pending_of(
        self, session_ids: Sequence[str], *, after: int, limit: int
    ) -> Sequence[OutboxRow]:
        """Nobody has left anything."""
        return ()

    async def adopt_strays(self) -> int:
        """Likewise."""
        return 0

    async def mark_published(self, outbox_ids: Sequence[int]) -> None:
        """Mark."""
        for place in outbox_ids:
            self.rows.pop(place, None)

    async def backlog(self) -> Backlog:
        """Nobody asks."""
        return Backlog()


@dataclass(slots=True)
class LossyBroker(EventPublisher):
    """Stores what it is given, most of the time.

    Attributes:
        came: The sequences of each session's events, each as it first came.
        failures: The share of publications that fail.
    """

    dice: random.Random
    failures: float
    came: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    known: set[str] = field(default_factory=set)

    async def publish(self, row: OutboxRow) -> None:
        """Store an event, or lose it, or lose what is said of it."""
        await turns(self.dice.randrange(3))
        fails = self.dice.random() < self.failures
        if not fails or self.dice.random() < 0.5:
            self._store(row)
        await turns(self.dice.randrange(3))
        if fails:
            raise self.dice.choice((FullQueueError("full"), DependencyError("lost")))

    async def set_aside(self, row: OutboxRow, *, reason: str) -> None:
        """Nothing is too large."""
        raise AssertionError(reason)

    def _store(self, row: OutboxRow) -> None:
        if row.event_id not in self.known:
            self.known.add(row.event_id)
            assert row.sequence is not None
            self.came[row.session_id].append(row.sequence)


@dataclass(slots=True)
class Recording:
    """Transactions: each gets places, is committed, and is offered.

    A session's next one begins when the one before it has been offered.
    """

    table: SteppedOutbox
    relay: Relay
    place: int = 0
    last: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SESSIONS, 0))
    open: dict[str, list[OutboxRow]] = field(default_factory=dict)
    answers: deque[list[OutboxRow]] = field(default_factory=deque)

    def begin(self, session: str, size: int) -> None:
        """Give a transaction its places, unless there is one."""
        unheard = {rows[0].session_id for rows in self.answers}
        if session in unheard | self.open.keys():
            return
        rows = []
        for _ in range(size):
            self.place += 1
            self.last[session] += 1
            rows.append(_row(self.place, session, self.last[session]))
        self.open[session] = rows

    def commit(self, session: str) -> None:
        """Let what it has written be seen."""
        rows = self.open.pop(session, [])
        self.table.rows |= {row.outbox_id: row for row in rows}
        if rows:
            self.answers.append(rows)

    def hear(self, which: int) -> None:
        """Let the worker hear of a commit, not necessarily of the first."""
        if self.answers:
            rows = self.answers[which % len(self.answers)]
            self.answers.remove(rows)
            self.relay.offer(rows)


def _row(place: int, session: str, sequence: int) -> OutboxRow:
    return OutboxRow(
        outbox_id=place,
        event_id=f"{session}-{sequence}",
        type="wa.message.received.v1",
        session_id=session,
        routing_key=f"message.received.{session}",
        body=b"{}",
        sequence=sequence,
    )


@pytest.mark.parametrize("failures", [0.0, 0.3])
@pytest.mark.parametrize("seed", SEEDS)
async def test_all_of_each_session_in_order(seed: int, failures: float) -> None:
    """Each event as it first comes; what comes again has the same id."""
    dice = random.Random(seed)
    table, broker = SteppedOutbox(dice), LossyBroker(dice, failures)
    relay = Relay(
        store=table, publisher=broker, memory=MEMORY, full_queue_patience_seconds=math.inf
    )
    recording, stop = Recording(table=table, relay=relay), asyncio.Event()
    for session in SESSIONS[: dice.randrange(3)]:  # of an earlier life
        recording.begin(session, dice.randrange(1, 9))
        table.rows |= {row.outbox_id: row for row in recording.open.pop(session)}
    running = asyncio.create_task(relay.run(stop))
    for _ in range(STEPS):
        session = dice.choice(SESSIONS)
        match dice.randrange(4):
            case 0:
                recording.begin(session, dice.randrange(1, 4))
            case 1:
                recording.commit(session)
            case 2:
                recording.hear(dice.randrange(3))
            case _:
                relay.nudge()
        await turns(dice.randrange(4))
    for session in SESSIONS:
        recording.commit(session)
    while recording.answers:
        recording.hear(dice.randrange(3))
    expected = {session: list(range(1, last + 1)) for session, last in recording.last.items()}
    async with asyncio.timeout(30):
        while sum(map(len, broker.came.values())) < recording.place:
            relay.nudge()
            await asyncio.sleep(0)
        stop.set()
        while not running.done():
            relay.nudge()
            await asyncio.sleep(0)
    await running

    assert {session: broker.came[session] for session in SESSIONS} == expected
