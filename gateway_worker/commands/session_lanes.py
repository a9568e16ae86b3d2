"""Which of a session's commands runs next: what cannot run yet holds up only what its order needs.

Each session has its commands in lanes. Within a lane they keep the order in which they came; what
holds among lanes is this:

- a send (`SENDS`) begins when every earlier life cycle command has ended, and every earlier send of
  its `Order`. Sends of another order it overtakes only while the first of them prepares what takes
  long; two never run at the same time;
- what changes a session's life (`LIFECYCLE`) overtakes sends that have not begun or that wait; it
  never runs at the same time as a send;
- a send that was put off (`DEFERRED`) begins when no other send may begin, and none runs; of those
  that prepare themselves it overtakes what is of another order. So the sends that somebody waits
  for overtake all of these but the one that runs, and that one only until it has had its effect:
  they begin while its end is written (`Ticket.is_concluding`). It ages: after `MOST_OVERTAKING` of
  them it goes before the next one, so that a conversation that never pauses does not starve it.
  Over all sessions only a few run at a time (`deferred_slots`), unless they have aged;
- a look-up (`LOOKUPS`) overtakes all but an earlier life cycle command that runs or can run;
- a query (`QUERIES`) does the same, and asks WhatsApp, so that look-ups do not wait for it;
- a gesture (`GESTURES`) does the same, and is worth little when it comes late, so that it waits for
  neither of them;
- replays, and messages among workers that concern no command, go beside all of this.

An item that waits for something steps aside (`Turn.aside`): it keeps its place, and what may
overtake it runs meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from gateway_worker.commands.deferred_slots import Slot
from gateway_worker.commands.lanes import Lane, Order, Passing

Item = TypeVar("Item")

_SENDING = (Lane.SENDS, Lane.DEFERRED)
"""Of these only one item runs at a time, and beside it a deferred one that concludes at most."""


class Phase(IntEnum):
    """How far an item has come."""

    QUEUED = 0
    RUNNING = 1
    WAITING = 2
    """It has stepped aside."""
    READY = 3
    """What it waited for has come; it goes on when nothing else is in its way."""
    ENDED = 4


@dataclass(eq=False, slots=True, kw_only=True)
class Ticket(Generic[Item]):
    """An item's place.

    Attributes:
        item: The item.
        lane: Its lane.
        number: Its place among all items of its session.
        order: What its order holds among, of a send; None: among all.
        phase: How far it has come.
        passing: Who of its own lane may overtake it while it waits.
        waits_for: What it waits for.
        go_on: Set when it may go on after it has waited; few ever do.
        is_called_off: Whether it is to come to its end instead.
        is_concluding: Whether a deferred send has had its effect, and only its end is written.
        slot: Its slot, of a deferred send that runs.
    """

    item: Item
    lane: Lane
    number: int
    order: Order | None = None
    phase: Phase = Phase.QUEUED
    passing: Passing = Passing.NOBODY
    go_on: asyncio.Event | None = None
    task: "asyncio.Task[None] | None" = None
    waits_for: "asyncio.Future[object] | None" = None
    is_called_off: bool = False
    is_concluding: bool = False
    slot: Slot | None = None


@dataclass(eq=False, slots=True)
class SessionLanes(Generic[Item]):
    """The items of one session, and which of them may run now.

    Attributes:
        queued: Those that have not begun, by lane, in order.
        begun: Those that have.
        overtaking: How many sends have begun while a deferred one could have, or could go on.
        most_overtaking: After how many of them that one goes first.
    """

    most_overtaking: int
    queued: dict[Lane, deque[Ticket[Item]]] = field(
        default_factory=lambda: {lane: deque() for lane in Lane}
    )
    begun: dict[Lane, list[Ticket[Item]]] = field(
        default_factory=lambda: {lane: [] for lane in Lane}
    )
    overtaking: int = 0

    @property
    def has_aged(self) -> bool:
        """Whether the next deferred send has been overtaken so often that it goes first now."""
        return self.overtaking >= self.most_overtaking

    @property
    def has_deferred(self) -> bool:
        """Whether a deferred send is to begin, or to go on."""
        return bool(self.queued[Lane.DEFERRED] or ready(self.begun[Lane.DEFERRED]))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that has not ended."""
        return not any(self.queued.values()) and not any(self.begun.values())

    @property
    def stuck(self) -> int:
        """How many items wait, or are queued in the lane of one that waits."""
        # What was put off is in the database, and no delivery of the broker's.
        return sum(
            len(self.queued[lane]) + len(begun)
            for lane, begun in self.begun.items()
            if begun
            and lane is not Lane.DEFERRED
            and any(ticket.phase is Phase.WAITING for ticket in begun)
        )

    def is_running(self, *lanes: Lane) -> bool:
        """Whether an item of one of these lanes runs."""
        return any(ticket.phase is Phase.RUNNING for lane in lanes for ticket in self.begun[lane])

    @property
    def _holds_up_sends(self) -> bool:
        """Whether a deferred send runs that has not had its effect."""
        return any(
            ticket.phase is Phase.RUNNING and not ticket.is_concluding
            for ticket in self.begun[Lane.DEFERRED]
        )

    def has_unfinished(self, lane: Lane, *, before: int) -> bool:
        """Whether an item of a lane that came earlier has not ended."""
        queued = self.queued[lane]
        return bool(queued and queued[0].number < before) or any(
            ticket.number < before for ticket in self.begun[lane]
        )

    def next_to_start(self, lane: Lane) -> Ticket[Item] | None:
        """Return the one of a lane's queue that may begin now, if there is one."""
        queue = self.queued[lane]
        if not queue or (lane is Lane.SENDS and self._deferred_goes_first()):
            return None
        if lane is Lane.SENDS and self.begun[lane]:
            return self._next_to_overtake(queue)
        if lane is Lane.DEFERRED:
            return self._next_deferred(queue)
        return queue[0] if self._may_start(queue[0]) else None

    def _may_start(self, ticket: Ticket[Item]) -> bool:
        """Whether the first of a lane's queue may begin."""
        begun = self.begun[ticket.lane]
        match ticket.lane:
            case Lane.FREE:
                return True
            case Lane.PEERS:
                return not begun
            case Lane.LOOKUPS | Lane.QUERIES | Lane.GESTURES:
                return _let_pass(begun) and not self._lifecycle_is_due(before=ticket.number)
            case Lane.LIFECYCLE:
                return _let_pass(begun) and not self.is_running(*_SENDING)
            case Lane.SENDS | Lane.REPLAYS | Lane.DEFERRED:
                return not begun and self._is_free(ticket)

    def _is_free(self, ticket: Ticket[Item]) -> bool:
        """Whether no command of the session's life is in a send's or a replay's way."""
        if ticket.lane in _SENDING and self.is_running(Lane.LIFECYCLE):
            return False
        if ticket.lane is Lane.SENDS and self._holds_up_sends:
            return False
        return not self.has_unfinished(Lane.LIFECYCLE, before=ticket.number)

    def _next_to_overtake(self, queue: "deque[Ticket[Item]]") -> Ticket[Item] | None:
        """Return the first send that may begin while earlier ones prepare themselves."""
        begun = self.begun[Lane.SENDS]
        if any(not _lets_other_orders_pass(ticket) for ticket in begun):
            return None
        found = _first_of_another_order(begun, queue)
        return found if found is not None and self._is_free(found) else None

    def _deferred_goes_first(self) -> bool:
        """Whether a deferred send has aged and may begin or go on, so that no other begins."""
        if not self.has_aged:
            return False
        if ready(self.begun[Lane.DEFERRED]):
            return True
        queue = self.queued[Lane.DEFERRED]
        return bool(queue) and self._next_deferred(queue) is not None

    def _next_deferred(self, queue: "deque[Ticket[Item]]") -> Ticket[Item] | None:
        """Return the first deferred send that may begin: after all others, unless it has aged."""
        begun = (*self.begun[Lane.SENDS], *self.begun[Lane.DEFERRED])
        if any(not _lets_other_orders_pass(ticket) for ticket in begun):
            return None
        before = begun if self.has_aged else (*begun, *self.queued[Lane.SENDS])
        if not before:
            return queue[0] if self._is_free(queue[0]) else None
        found = _first_of_another_order(before, queue)
        return found if found is not None and self._is_free(found) else None

    def may_go_on(self, ticket: Ticket[Item]) -> bool:
        """Whether an item that has waited may run again."""
        if ticket.lane is Lane.SENDS:
            return not (self.is_running(Lane.LIFECYCLE, Lane.SENDS) or self._holds_up_sends)
        if ticket.lane in (Lane.LIFECYCLE, Lane.DEFERRED):
            return not self.is_running(Lane.LIFECYCLE, *_SENDING)
        return True

    def _lifecycle_is_due(self, *, before: int) -> bool:
        queued = self.queued[Lane.LIFECYCLE]
        if queued and queued[0].number < before and self._may_start(queued[0]):
            return True
        return any(
            ticket.number < before and ticket.phase is not Phase.WAITING
            for ticket in self.begun[Lane.LIFECYCLE]
        )


def ready(begun: list[Ticket[Item]]) -> list[Ticket[Item]]:
    """Return those that have waited, and go on when nothing else is in their way."""
    return [ticket for ticket in begun if ticket.phase is Phase.READY]


def _let_pass(begun: list[Ticket[Item]]) -> bool:
    """Whether the next of a lane may begin beside those that have begun."""
    return all(ticket.phase is Phase.WAITING and ticket.passing is Passing.LANE for ticket in begun)


def _lets_other_orders_pass(ticket: Ticket[Item]) -> bool:
    return ticket.phase is Phase.WAITING and ticket.passing is Passing.OTHER_ORDERS


def _first_of_another_order(
    before: Iterable[Ticket[Item]], queue: Iterable[Ticket[Item]]
) -> Ticket[Item] | None:
    """Return the first of a queue that need not wait for anything before it."""
    marks: set[str] = set()
    for ticket in before:
        if ticket.order is None:
            return None  # it may be of any order: what comes later waits
        marks |= ticket.order.marks
    for ticket in queue:
        if ticket.order is None:
            return None
        if marks.isdisjoint(ticket.order.waits_for):
            return ticket
        marks |= ticket.order.marks
    return None
