"""Makes each command happen once: every command enters here before anything is done."""

import asyncio
from collections.abc import Callable
from functools import partial
from operator import attrgetter

from gateway_worker.commands.ports import Entry, InboxStore, Received
from gateway_worker.runtime.batcher import Batcher
from gateway_worker.runtime.division import Division


class Inbox:
    """Enters commands into the table, in batches.

    Args:
        store: The commands table.
        linger_seconds: Under load, transactions start at least this far apart.
        busy_per_second: How many commands count as load.
        observe: Called with the size and the seconds of each transaction.
    """

    def __init__(
        self,
        *,
        store: InboxStore,
        linger_seconds: float = 0.016,
        busy_per_second: float = 150.0,
        observe: Callable[[int, float], None] = lambda _size, _seconds: None,
    ) -> None:
        self._store = store
        self._batcher: Batcher[Received, Entry] = Batcher(
            flush=store.enter,
            name="inbox",
            linger_seconds=linger_seconds,
            busy_per_second=busy_per_second,
            observe=observe,
            division=Division(
                key=attrgetter("session_id"),
                flush=partial(store.enter, briefly=True),
                answers=store.answers,
                named="session_id",
            ),
        )

    @property
    def held_aside(self) -> int:
        """How many sessions wait because theirs is what the database does not take now."""
        return self._batcher.held_aside

    async def enter(self, received: Received) -> Entry:
        """Enter a command and return what is known of it. Waits for the database."""
        return await self._batcher.submit(received)

    async def look(self, received: Received) -> Entry:
        """Say what is known of a command that is not executed now. Raises `DependencyError`."""
        return await self._store.look(received)

    async def suspend(self, received: Received, *, stays_interrupted: bool = False) -> None:
        """Note that a command waits: nothing of it is under way. Raises `DependencyError`.

        Args:
            received: As it was entered.
            stays_interrupted: But for a run before this one, of which nothing is known yet.
        """
        await self._store.suspend(
            received.command_id,
            session_id=received.session_id,
            worker_id=received.worker_id,
            epoch=received.epoch,
            stays_interrupted=stays_interrupted,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Write batches until `stop` is set and nothing waits."""
        await self._batcher.run(stop)
