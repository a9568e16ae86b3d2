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
  for overtake all of these but the one that runs. It ages: after `MOST_OVERTAKING` of them it goes
  before the next one, so that a conversation that never pauses does not starve it. Over all
  sessions only a few run at a time (`deferred_slots`), unless they have aged;
- a look-up (`LOOKUPS`) overtakes all but an earlier life cycle command that runs or can run;
- a query (`QUERIES`) does the same, and asks WhatsApp, so that look-ups do not wait for it;
- a gesture (`GESTURES`) does the same, and is worth little when it comes late, so that it waits for
  neither of them;
- replays, and messages among workers that concern no command, go beside all of this.

An item that waits for something steps aside (`Turn.aside`): it keeps its place, and what may
overtake it runs meanwhile.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import Final, Generic, TypeVar

import structlog

from gateway_worker.commands.deferred_slots import DeferredSlots, Slot
from gateway_worker.commands.slot_queue import SlotQueue

Item = TypeVar("Item")
log = structlog.get_logger(__name__)

MOST_OVERTAKING: Final = 8
"""So many sends may begin before a deferred one that is queued."""


class Lane(StrEnum):
    """What an item is to the others of its session."""

    SENDS = "sends"
    DEFERRED = "deferred"
    """Sends that nobody waits for: scheduled ones, and the rows of bulks."""
    LIFECYCLE = "lifecycle"
    LOOKUPS = "lookups"
    QUERIES = "queries"
    GESTURES = "gestures"
    """What is shown of the account: that it has read, that it writes."""
    REPLAYS = "replays"
    PEERS = "peers"
    """Messages among workers that concern no command."""
    FREE = "free"
    """Waits for nothing, not even for its own kind."""


_SENDING = (Lane.SENDS, Lane.DEFERRED)
"""Of these only one item runs at a time."""
_LIFECYCLE_FIRST = (Lane.LIFECYCLE, *(lane for lane in Lane if lane is not Lane.LIFECYCLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the order of sends holds among, e.g. a chat: two that may be the same are in order.

    Attributes:
        marks: What an item says of itself to later ones.
        waits_for: The marks of earlier ones that it must not overtake.
    """

    marks: frozenset[str]
    waits_for: frozenset[str]


class Passing(Enum):
    """Which later items of its own lane an item lets pass while it waits."""

    NOBODY = "nobody"
    LANE = "lane"
    """All that are no sends: these wait for what it waits for, too."""
    OTHER_ORDERS = "other_orders"
    """Sends of another order."""


class Phase(IntEnum):
    """How far an item has come."""

    QUEUED = 0
    RUNNING = 1
    WAITING = 2
    """It has stepped aside."""
    READY = 3
    """What it waited for has come; it goes on when nothing else is in its way."""
    ENDED = 4


class WithdrawnError(Exception):
    """The worker leaves: what waits is given back."""


class CalledOffError(Exception):
    """What waits has been called off, and is to come to its end."""


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
    slot: Slot | None = None


@dataclass(eq=False, slots=True)
class _Session(Generic[Item]):
    """The items of one session.

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
        return bool(self.queued[Lane.DEFERRED] or _ready(self.begun[Lane.DEFERRED]))

    @property
    def is_empty(self) -> bool:
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
        if ticket.lane is Lane.SENDS and self.is_running(Lane.DEFERRED):
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
        if _ready(self.begun[Lane.DEFERRED]):
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
        if ticket.lane is Lane.LIFECYCLE or ticket.lane in _SENDING:
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


class Turn(Generic[Item]):
    """What an item in work has to say to those that wait for it."""

    def __init__(self, scheduler: "Scheduler[Item]", key: str, ticket: Ticket[Item]) -> None:
        self._scheduler = scheduler
        self._key = key
        self._ticket = ticket

    async def aside(
        self,
        waiting: Awaitable[object],
        *,
        seconds: float | None = None,
        passing: Passing = Passing.NOBODY,
    ) -> None:
        """Wait for something while others run; returns when it is this one's turn again.

        Args:
            waiting: What to wait for; an exception of it is raised here.
            seconds: Wait no longer than this.
            passing: Which later items of the same lane may overtake, too.

        Raises:
            WithdrawnError: The worker leaves meanwhile.
        """
        await self._scheduler.step_aside(
            self._key, self._ticket, waiting, seconds=seconds, passing=passing
        )


class Scheduler(Generic[Item]):
    """The lanes of all sessions. There is no lock: the order of `post` is the order of places.

    Args:
        handle: Called as `handle(key, item, turn)`. An exception is logged, and the next follows.
        on_stuck: Called with the number of items that wait or are queued after such as wait,
            whenever it changes.
        slots: How many deferred sends run at a time over all sessions; None: one of each.
        most_overtaking: See `MOST_OVERTAKING`.
    """

    def __init__(
        self,
        *,
        handle: Callable[[str, Item, Turn[Item]], Awaitable[None]],
        on_stuck: Callable[[int], None] = lambda _stuck: None,
        slots: DeferredSlots | None = None,
        most_overtaking: int = MOST_OVERTAKING,
    ) -> None:
        self._handle = handle
        self._on_stuck = on_stuck
        self._slots = slots or DeferredSlots(slots=sys.maxsize, conversation_seconds=0.0)
        self._slots.when_free(self._offer_slots)
        self._want_slots = SlotQueue()
        self._most_overtaking = most_overtaking
        self._sessions: dict[str, _Session[Item]] = {}
        self._stuck: dict[str, int] = {}
        self._number = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._withdrawn = asyncio.Event()
        self.waiting = 0
        self.stuck = 0

    def post(
        self,
        key: str,
        item: Item,
        *,
        lane: Lane,
        first: bool = False,
        order: Order | None = None,
    ) -> Ticket[Item]:
        """Queue an item after the others of its lane, or before them. Never blocks.

        Args:
            key: The session.
            item: The item.
            lane: What it is to the others.
            first: Whether it goes before what is queued.
            order: Of a send, what its order holds among; None: among all.
        """
        self._number += 1
        ticket = Ticket(
            item=item,
            lane=lane,
            number=-self._number if first else self._number,
            order=order,
        )
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = _Session(self._most_overtaking)
            self._idle.clear()
        queue = session.queued[lane]
        if lane is Lane.SENDS:
            self._slots.note_conversation()
        elif lane is Lane.DEFERRED and not session.has_deferred:
            session.overtaking = 0
        if first:
            queue.appendleft(ticket)
        else:
            queue.append(ticket)
        self.waiting += 1
        self._pump(key)
        return ticket

    def remove(self, key: str, ticket: Ticket[Item]) -> bool:
        """Take back an item that has not begun; False if it has."""
        session = self._sessions.get(key)
        if session is None or ticket.phase is not Phase.QUEUED:
            return False
        session.queued[ticket.lane].remove(ticket)
        ticket.phase = Phase.ENDED
        self.waiting -= 1
        self._pump(key)
        return True

    def tickets(self, key: str, lanes: Iterable[Lane]) -> list[Ticket[Item]]:
        """Return what of a session has not ended, by lanes and then in order."""
        session = self._sessions.get(key)
        if session is None:
            return []
        return [
            ticket for lane in lanes for ticket in (*session.begun[lane], *session.queued[lane])
        ]

    @staticmethod
    def call_off(ticket: Ticket[Item]) -> bool:
        """End an item's waiting: `aside` raises `CalledOffError`, also if it comes to that later.

        Returns:
            Whether it waits now; what runs may be through with its waiting.
        """
        if ticket.is_called_off:
            return False
        ticket.is_called_off = True
        if ticket.waits_for is None:
            return False
        ticket.waits_for.cancel()
        return True

    def withdraw(self) -> list[Item]:
        """Take back all that has not begun, in order within each lane; what waits is told so."""
        items: list[Item] = []
        for key, session in list(self._sessions.items()):
            for queue in session.queued.values():
                for ticket in queue:
                    ticket.phase = Phase.ENDED
                    items.append(ticket.item)
                queue.clear()
            self._tidy(key)
        self.waiting = 0
        self._withdrawn.set()
        return items

    async def join(self) -> None:
        """Return when nothing is queued and nothing runs."""
        await self._idle.wait()

    async def cancel(self) -> None:
        """Cancel what runs, forget what is queued, and return when every task has ended."""
        self.withdraw()
        tasks = [task for task in self._tasks() if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def step_aside(
        self,
        key: str,
        ticket: Ticket[Item],
        waiting: Awaitable[object],
        *,
        seconds: float | None,
        passing: Passing,
    ) -> None:
        """See `Turn.aside`."""
        ticket.phase, ticket.passing = Phase.WAITING, passing
        self._give_back_slot(ticket)
        self._pump(key)
        work = ticket.waits_for = asyncio.ensure_future(waiting)
        if ticket.is_called_off:
            work.cancel()
        leaving = asyncio.create_task(self._withdrawn.wait())
        try:
            await asyncio.wait(
                {work, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if not work.done() and leaving.done():
                raise WithdrawnError
        finally:
            for task in (work, leaving):
                if not task.done():
                    task.cancel()
            await asyncio.wait({work, leaving})
            ticket.waits_for = None
        await self._go_on(key, ticket)
        if ticket.is_called_off:
            raise CalledOffError
        if not work.cancelled():
            work.result()

    async def _go_on(self, key: str, ticket: Ticket[Item]) -> None:
        ticket.phase, ticket.passing = Phase.READY, Passing.NOBODY
        go_on = ticket.go_on = asyncio.Event()
        self._pump(key)
        await go_on.wait()

    def _pump(self, key: str) -> None:
        """Begin and continue whatever may run now."""
        session = self._sessions.get(key)
        if session is None:
            return
        for lane in _LIFECYCLE_FIRST:
            if begun := session.begun[lane]:
                for ticket in _ready(begun):
                    self._continue(session, ticket)
            if session.queued[lane]:
                self._start_all(key, session, lane)
        self._tidy(key)

    def _continue(self, session: _Session[Item], ticket: Ticket[Item]) -> None:
        if session.may_go_on(ticket):
            if ticket.lane is Lane.DEFERRED:
                session.overtaking = 0
                ticket.slot = self._slots.take()
            ticket.phase = Phase.RUNNING
            if ticket.go_on is not None:
                ticket.go_on.set()

    def _start_all(self, key: str, session: _Session[Item], lane: Lane) -> None:
        while (ticket := session.next_to_start(lane)) is not None:
            if lane is Lane.DEFERRED:
                if not session.has_aged and not self._slots.has_room:
                    self._want_slots.add(key)
                    return
                session.overtaking = 0
                ticket.slot = self._slots.take()
            elif lane is Lane.SENDS and session.has_deferred:
                session.overtaking += 1
            session.queued[lane].remove(ticket)
            self.waiting -= 1
            ticket.phase = Phase.RUNNING
            session.begun[lane].append(ticket)
            ticket.task = asyncio.create_task(self._run(key, ticket), name=f"commands:{key}")

    async def _run(self, key: str, ticket: Ticket[Item]) -> None:
        try:
            await self._handle(key, ticket.item, Turn(self, key, ticket))
        except Exception:  # the root of the item's work: the next one has its turn
            log.exception("command.handler_failed", session_id=key)
        finally:
            ticket.phase = Phase.ENDED
            self._sessions[key].begun[ticket.lane].remove(ticket)
            self._pump(key)
            self._give_back_slot(ticket)

    def _give_back_slot(self, ticket: Ticket[Item]) -> None:
        if ticket.slot is not None:
            slot, ticket.slot = ticket.slot, None
            self._slots.give_back(slot)

    def _offer_slots(self) -> None:
        """Let sessions begin a deferred send that have waited for a slot, in their turns."""
        while self._slots.has_room and (key := self._want_slots.take()) is not None:
            self._pump(key)

    def _tidy(self, key: str) -> None:
        session = self._sessions[key]
        self._count(key, session.stuck)
        if session.is_empty:
            del self._sessions[key]
            if not self._sessions:
                self._idle.set()

    def _count(self, key: str, stuck: int) -> None:
        before = self._stuck.pop(key, 0)
        if stuck:
            self._stuck[key] = stuck
        if stuck != before:
            self.stuck += stuck - before
            self._on_stuck(self.stuck)

    def _tasks(self) -> Iterator["asyncio.Task[None] | None"]:
        for session in self._sessions.values():
            for begun in session.begun.values():
                for ticket in begun:
                    yield ticket.task


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


def _ready(begun: list[Ticket[Item]]) -> list[Ticket[Item]]:
    return [ticket for ticket in begun if ticket.phase is Phase.READY]
