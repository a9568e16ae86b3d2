"""Begins and continues each session's commands, in the order that `session_lanes` says.

An item that waits for something steps aside (`Turn.aside`): it keeps its place, and what may
overtake it runs meanwhile.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Generic

import structlog

from gateway_worker.commands.deferred_slots import DeferredSlots
from gateway_worker.commands.lanes import Lane, Order, Passing
from gateway_worker.commands.session_lanes import Item, Phase, SessionLanes, Ticket, ready
from gateway_worker.commands.slot_queue import SlotQueue

log = structlog.get_logger(__name__)

MOST_OVERTAKING: Final = 8
"""So many sends may begin before a deferred one that is queued."""


_LIFECYCLE_FIRST = (Lane.LIFECYCLE, *(lane for lane in Lane if lane is not Lane.LIFECYCLE))


class WithdrawnError(Exception):
    """The worker leaves: what waits is given back."""


class CalledOffError(Exception):
    """What waits has been called off, and is to come to its end."""


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

    def conclude(self) -> None:
        """Note that this one has had its effect: only its end is to be written.

        If it was put off, sends that somebody waits for begin meanwhile.
        """
        self._scheduler.conclude(self._key, self._ticket)


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
        self._sessions: dict[str, SessionLanes[Item]] = {}
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
            session = self._sessions[key] = SessionLanes(self._most_overtaking)
            self._idle.clear()
        queue = session.queued[lane]
        if lane is Lane.DEFERRED and not session.has_deferred:
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
        ticket.is_concluding = False  # it begins anew
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

    def conclude(self, key: str, ticket: Ticket[Item]) -> None:
        """See `Turn.conclude`."""
        if ticket.lane is Lane.DEFERRED:
            ticket.is_concluding = True
            self._pump(key)

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
                for ticket in ready(begun):
                    self._continue(session, ticket)
            if session.queued[lane]:
                self._start_all(key, session, lane)
        self._tidy(key)

    def _continue(self, session: SessionLanes[Item], ticket: Ticket[Item]) -> None:
        if session.may_go_on(ticket):
            self._note(session, ticket)
            ticket.phase = Phase.RUNNING
            if ticket.go_on is not None:
                ticket.go_on.set()

    def _start_all(self, key: str, session: SessionLanes[Item], lane: Lane) -> None:
        while (ticket := session.next_to_start(lane)) is not None:
            if lane is Lane.DEFERRED and not session.has_aged and not self._slots.has_room:
                self._want_slots.add(key)
                return
            if lane is Lane.SENDS and session.has_deferred:
                session.overtaking += 1
            self._note(session, ticket)
            session.queued[lane].remove(ticket)
            self.waiting -= 1
            ticket.phase = Phase.RUNNING
            session.begun[lane].append(ticket)
            ticket.task = asyncio.create_task(self._run(key, ticket), name=f"commands:{key}")

    def _note(self, session: SessionLanes[Item], ticket: Ticket[Item]) -> None:
        """Note of a send that it begins or goes on now."""
        if ticket.lane is Lane.DEFERRED:
            session.overtaking = 0
            ticket.slot = self._slots.take()
        elif ticket.lane is Lane.SENDS:
            self._slots.note_send()

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
