"""The model of commands, sessions and owners: what is so by all that has happened.

`Worker` is what one of them believes, which may be out of date; `Owned` and `Known` are the truth;
`Bench` asks the database what it has.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import SecretStr

from gateway_contracts import CommandSucceeded, CommandSucceededData
from gateway_worker.sessions.changes import Change, Outcome
from gateway_worker.storage.db import (
    Database,
    DatabaseSettings,
    PostgresChangeStore,
    PostgresWorkerStore,
)
from tests.integration.storage.db.support import SEND
from tests.support.databases import fresh_database

Answer = TypeVar("Answer")
EVERYTHING = """
    SELECT json_build_object(
        'sessions', (SELECT json_agg(s) FROM sessions s WHERE starts_with(s.id, $1 || 's')),
        'commands', (SELECT json_agg(c) FROM commands c WHERE starts_with(c.session_id, $1 || 's')),
        'events', (
            SELECT json_agg(e ORDER BY e.id) FROM (
                SELECT id, session_id, sequence, correlation_id, worker_id FROM outbox
            ) e WHERE starts_with(e.session_id, $1 || 's')
        )
    )
"""
"""$1 the prefix of an example's names."""


@dataclass(slots=True, kw_only=True)
class Bench:
    """A database, and an event loop for everything that asks it."""

    runner: asyncio.Runner
    database: Database

    def do(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Run to the end."""
        return self.runner.run(work)

    def ask(self, query: str, *values: str) -> Any:
        """Run a statement and return what it says."""

        async def asked() -> Any:
            async with self.database.direct("looking") as connection:
                return await connection.fetchval(query, *values)

        return self.do(asked())


@dataclass(slots=True, kw_only=True)
class Run:
    """What a worker executes now."""

    command: str
    epoch: int
    attempts: int


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """A worker and what it believes: its sessions with their epochs, and what runs in them."""

    name: str
    changes: PostgresChangeStore
    row: PostgresWorkerStore
    leased: bool = True
    epochs: dict[str, int] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)

    def forget(self, session: str) -> None:
        """The session is not ours any more, and what ran in it is over."""
        self.epochs.pop(session, None)
        self.runs.pop(session, None)


@dataclass(slots=True, kw_only=True)
class Owned:
    """A session as it should be."""

    owner: str
    epoch: int = 1
    events: int = 0
    pending: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Known:
    """A command as it should be."""

    session: str
    said: str = "one"
    attempts: int = 0
    run_of: tuple[str, int] | None = None
    outcome: Outcome | None = None


def ending(worker: Worker, session: str, outcome: Outcome, epoch: int, **more: Any) -> Change:
    """Return the good end of a command."""
    assert outcome.result is not None
    event = CommandSucceeded(
        source=f"/workers/{worker.name}",
        subject=session,
        correlationid=outcome.command_id,
        data=CommandSucceededData(command_type=SEND, result=outcome.result),
    )
    return Change(session_id=session, epoch=epoch, events=(event,), outcome=outcome, **more)


@contextmanager
def open_bench(database_url: str, template: str) -> Iterator[Bench]:
    """Open a database for all examples: each has names of its own."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def opened() -> Database:
            url = await stack.enter_async_context(fresh_database(database_url, template=template))
            settings = DatabaseSettings(url=SecretStr(url))
            return await stack.enter_async_context(Database(settings=settings))

        yield Bench(runner=runner, database=runner.run(opened()))
        runner.run(stack.aclose())
