"""The one writer: every change of every session goes through here, in order, in batches."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Final

from gateway_worker.outbox.ports import ChangeStore
from gateway_worker.runtime.batcher import Batcher
from gateway_worker.runtime.division import Division
from gateway_worker.sessions.changes import Change, Committed, OutboxRow

_TURNS: Final = 3
"""So many turns of the event loop an event takes from the relay to the socket."""


class Recorder:
    """Commits changes and hands their events to the relay.

    A session whose changes cannot be written, while those of others can, is held aside.

    Args:
        store: Writes a batch in one transaction.
        offer: Takes committed events for publication, in order; must return at once.
        linger_seconds: Under load, transactions start at least this far apart.
        busy_per_second: How many changes count as load.
        receipt_seconds: How long a receipt may wait for changes that somebody waits for.
        observe: Called with the size and the seconds of each transaction.
    """

    def __init__(
        self,
        *,
        store: ChangeStore,
        offer: Callable[[Sequence[OutboxRow]], None],
        linger_seconds: float = 0.025,
        busy_per_second: float = 450.0,
        receipt_seconds: float = 0.02,
        observe: Callable[[int, float], None] = lambda _size, _seconds: None,
    ) -> None:
        self._store = store
        self._offer = offer
        self._batcher: Batcher[Change, Committed] = Batcher(
            flush=self._commit,
            name="recorder",
            linger_seconds=linger_seconds,
            busy_per_second=busy_per_second,
            patience_seconds=lambda change: 0.0 if change.receipt is None else receipt_seconds,
            observe=observe,
            division=Division(
                key=attrgetter("session_id"),
                flush=partial(self._commit, briefly=True),
                answers=store.answers,
                named="session_id",
            ),
        )

    @property
    def held_aside(self) -> int:
        """How many sessions wait because theirs is what the database does not take now."""
        return self._batcher.held_aside

    def record(self, change: Change) -> "asyncio.Future[Committed]":
        """Queue a change; the future is done once it is committed. Never blocks."""
        return self._batcher.submit(change)

    async def run(self, stop: asyncio.Event) -> None:
        """Commit until `stop` is set and everything is written."""
        await self._batcher.run(stop)

    async def _commit(
        self, changes: Sequence[Change], *, briefly: bool = False
    ) -> Sequence[Committed]:
        committed = await self._store.commit(changes, briefly=briefly)
        rows = [row for one in committed for row in one.rows]
        self._offer(rows)
        if rows:  # they are on their way before the next batch is made, which takes longer
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        return committed
