"""Hands on what is due: a few rows of each session at a time, so that nothing queues up.

It is awake when a row becomes due, when one has come to its end, and every few seconds, for a
session that has come from another worker brings its rows with it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from gateway_contracts import CommandRejectedError, parse_command
from gateway_worker.commands.deferrals import DeferredStore, Waiting
from gateway_worker.commands.deferred.delivery import LONGEST_POSTPONED, DeferredDelivery
from gateway_worker.commands.ports import Deferred, Delivery
from gateway_worker.errors import DependencyError
from gateway_worker.runtime.clock import Clock
from gateway_worker.runtime.waking import woken_by
from gateway_worker.sessions.deferred import DeferredKey
from gateway_worker.sessions.ownership.registry import SessionRegistry

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 5.0
"""Between two looks at what is due."""
AHEAD: Final = 4
"""How many scheduled commands of one session are handed on at a time."""

_MOST_POSTPONED: Final = 500
"""So many of those that are held back are read past."""

_Place = tuple[str, DeferredKey]


class Feeder:
    """Feeds the scheduler with what was put off (a service).

    Args:
        worker_id: This worker.
        registry: The sessions that are here.
        store: What waits.
        clock: The time.
        look_seconds: See `LOOK_SECONDS`.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        registry: SessionRegistry,
        store: DeferredStore,
        clock: Clock,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._worker_id = worker_id
        self._registry = registry
        self._store = store
        self._clock = clock
        self._look_seconds = look_seconds
        self._accept: Callable[[Delivery], None] = lambda _delivery: None
        self._fed: dict[_Place, DeferredDelivery] = {}
        self._postponed: set[_Place] = set()
        self._held: Counter[str] = Counter()
        self._behind: set[str] = set()
        self._wake = asyncio.Event()
        self._next_due: datetime | None = None

    def feeds(self, accept: Callable[[Delivery], None]) -> None:
        """Hand what is due to `accept` from now on."""
        self._accept = accept

    def expect(self, due_at: datetime) -> None:
        """Note that something is due at a time."""
        if self._next_due is None or due_at < self._next_due:
            self._next_due = due_at
            self._wake.set()

    def look_again(self) -> None:
        """Look soon at what is due."""
        self._next_due = self._clock.now()
        self._wake.set()

    def hold(self, session_id: str) -> None:
        """Hand on nothing more of a session until `release`, as often as this is called."""
        self._held[session_id] += 1

    def release(self, session_id: str) -> None:
        """Hand on what is due again, once nobody holds the session any more."""
        self._held[session_id] -= 1
        if self._held[session_id] <= 0:
            del self._held[session_id]
            self.look_again()

    def is_fed(self, session_id: str, key: DeferredKey) -> bool:
        """Whether a row was handed on and has no end."""
        return (session_id, key) in self._fed

    async def run(self, stop: asyncio.Event) -> None:
        """Feed until `stop` is set."""
        with woken_by(stop, self._wake, name="deferred:stop"):
            while not stop.is_set():
                self._wake.clear()
                try:
                    await self._look()
                except DependencyError as error:
                    log.warning("deferred.not_read", reason=str(error))
                    self._next_due = None
                await self._until_due(stop)

    async def _until_due(self, stop: asyncio.Event) -> None:
        """Wait for what is due next, for a while at most; woken, look at it anew."""
        end = asyncio.get_running_loop().time() + self._look_seconds
        while not stop.is_set():
            left = end - asyncio.get_running_loop().time()
            if self._next_due is not None:
                left = min(left, (self._next_due - self._clock.now()).total_seconds())
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                return
            self._wake.clear()

    async def _look(self) -> None:
        sessions = [one.session_id for one in self._registry.sessions() if not one.is_leaving]
        self._next_due = None
        now = self._clock.now()
        found = await self._store.due(
            sessions,
            until=now + timedelta(seconds=self._look_seconds),
            limit=2 * AHEAD + min(len(self._postponed), _MOST_POSTPONED),
        )
        later = [each.due_at for each in found if each.due_at > now]
        self._feed(each for each in found if each.due_at <= now)
        for due_at in later[:1]:
            self.expect(due_at)

    def _feed(self, rows: Iterable[Waiting]) -> None:
        counts: dict[str, int] = {}
        for session_id, _ in self._fed:
            counts[session_id] = counts.get(session_id, 0) + 1
        for row in rows:
            place = (row.session_id, row.key)
            is_held = row.session_id in self._held
            epoch = None if is_held else self._registry.epoch_of(row.session_id)
            if place in self._fed or place in self._postponed or epoch is None:
                continue
            if counts.get(row.session_id, 0) >= AHEAD:
                self._behind.add(row.session_id)
                continue
            if self._hand_on(row, epoch):
                counts[row.session_id] = counts.get(row.session_id, 0) + 1

    def _hand_on(self, row: Waiting, epoch: int) -> bool:
        """Hand on a row; False if it cannot be read: those after it are looked for then."""
        try:
            command = parse_command(row.body)
        except CommandRejectedError:  # of a release that knew other commands
            log.exception("deferred.unreadable", session_id=row.session_id)
            self._postpone((row.session_id, row.key), LONGEST_POSTPONED)
            self.look_again()
            return False
        delivery = DeferredDelivery(
            deferred=Deferred(
                command=command,
                epoch=epoch,
                key=row.key,
                postpone=partial(self._postpone, (row.session_id, row.key)),
            ),
            body=row.body,
            worker_id=self._worker_id,
            on_settled=self._on_settled,
        )
        self._fed[row.session_id, row.key] = delivery
        self._accept(delivery)
        return True

    def _postpone(self, place: _Place, seconds: float) -> None:
        """Keep a row from being handed on for a while; after a restart it is asked for anew."""
        self._postponed.add(place)
        asyncio.get_running_loop().call_later(
            min(seconds, LONGEST_POSTPONED), self._come_again, place
        )

    def _come_again(self, place: _Place) -> None:
        self._postponed.discard(place)
        self.look_again()

    def _on_settled(self, delivery: DeferredDelivery, is_over: bool) -> None:  # noqa: FBT001 - a listener
        self._fed.pop((delivery.session_id, delivery.deferred.key), None)
        if is_over and delivery.session_id in self._behind:
            self._behind.discard(delivery.session_id)
            self.look_again()
