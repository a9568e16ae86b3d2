"""Asks for places: in the buckets that all workers share, or, while there are none, in its own."""

import asyncio
from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache
from typing import Final

from gateway_contracts import Pacing
from gateway_worker.commands.pacing.buckets import Asked, Levels, Reserved, reserve
from gateway_worker.commands.pacing.plan import Plan, make_plan
from gateway_worker.commands.pacing.ports import PacingObserver, PacingStore
from gateway_worker.commands.pacing.settings import PacingSettings
from gateway_worker.errors import DependencyError
from gateway_worker.runtime.clock import Clock, SystemClock

ANSWER_SECONDS: Final = 0.5
"""How long the shared buckets may take to answer: a message waits for it."""
AWAY_SECONDS: Final = 2.0
"""After a failure they are asked again so much later."""
MOST_SESSIONS: Final = 5_000
MOST_RECIPIENTS: Final = 4_096
"""Of so many the levels are kept here as well."""


class Pacer:
    """Gives messages their places.

    Args:
        store: The shared buckets; None: there are only its own.
        settings: How fast sessions send of which nothing else is said.
        observer: Told what it does.
        clock: The time.
    """

    def __init__(
        self,
        *,
        store: PacingStore | None,
        settings: PacingSettings,
        observer: PacingObserver,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._own = make_plan(Pacing(), settings)
        self._plan_of = lru_cache(maxsize=256)(lambda pacing: make_plan(pacing, settings))
        self._unavailable_until = 0.0
        self._sessions: OrderedDict[str, Levels] = OrderedDict()
        self._recipients: OrderedDict[tuple[str, str], int] = OrderedDict()
        self.clock = clock or SystemClock()
        self.observer = observer
        self.longest_wait_seconds = settings.longest_wait_seconds
        # What is to be added to the monotonic clock for the shared one's time.
        self._offset_ms = int(self.clock.now().timestamp() * 1000) - self._monotonic_ms()

    def plan_of(self, pacing: Pacing | None) -> Plan | None:
        """Return how fast a session sends; None: as fast as it goes.

        Args:
            pacing: What its backend has set.
        """
        return self._own if pacing is None else self._plan_of(pacing)

    async def reserve(self, session_id: str, recipient: str, asked: Asked) -> Reserved:
        """Give a message its next places; see `PacingStore`. Never fails."""
        known = self._known(session_id, recipient)
        reserved = None
        if self._store is not None and self.clock.monotonic() >= self._unavailable_until:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    reserved = await self._store.reserve(session_id, recipient, asked, known)
            except (DependencyError, TimeoutError):
                self._unavailable_until = self.clock.monotonic() + AWAY_SECONDS
            else:
                self._offset_ms = reserved.now_ms - self._monotonic_ms()
        if reserved is None:
            self.observer.paced_alone()
            # As it is now: others may have asked while this one waited for an answer.
            known = self._known(session_id, recipient)
            reserved = reserve(asked, known, self._monotonic_ms() + self._offset_ms)
        self._note(session_id, recipient, reserved)
        return reserved

    def _monotonic_ms(self) -> int:
        return int(self.clock.monotonic() * 1000)

    def _known(self, session_id: str, recipient: str) -> Levels:
        levels = self._sessions.get(session_id, _NOTHING)
        full_at = self._recipients.get((session_id, recipient), 0)
        return replace(levels, recipient_full_at=full_at) if full_at else levels

    def _note(self, session_id: str, recipient: str, reserved: Reserved) -> None:
        levels, key = reserved.levels, (session_id, recipient)
        known = self._known(session_id, recipient).joined(levels)
        self._sessions[session_id] = replace(known, recipient_full_at=0)
        self._sessions.move_to_end(session_id)
        if known.recipient_full_at > reserved.now_ms:
            self._recipients[key] = known.recipient_full_at
            self._recipients.move_to_end(key)
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        if len(self._recipients) > MOST_RECIPIENTS:
            self._recipients.popitem(last=False)


_NOTHING: Final = Levels()
