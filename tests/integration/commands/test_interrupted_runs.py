"""What a run that was interrupted has done is never done again, whatever goes wrong in finding out.

For every type of command that must not be done twice.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from gateway_contracts import (
    Command,
    CommandFailed,
    Done,
    ErrorCode,
    encode,
    parse_command,
)
from gateway_contracts.spec.examples import load_examples
from gateway_worker.broker import BrokerSettings
from gateway_worker.commands.attempts import Attempts
from gateway_worker.commands.handlers import HANDLERS, Context, Effect, Once
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.interrupted_runs import InterruptedRuns
from gateway_worker.commands.ports import Entry, Verdict
from gateway_worker.devkit.backend import Backend
from gateway_worker.errors import (
    DatabaseUnavailableError,
    InvalidCommandError,
    RetryableError,
    UncertainError,
)
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.runtime.service import running
from gateway_worker.sessions.ownership.manager import OwnedElsewhereError
from gateway_worker.sessions.send_journal import Acknowledged, SendTrace
from gateway_worker.sessions.session.session import Session
from gateway_worker.storage.db import Database, PostgresInboxStore, PostgresSessionStore
from tests.integration.commands.conftest import STOPPED
from tests.integration.commands.support import working
from tests.integration.commands.test_outcomes import send
from tests.integration.storage.db.support import (
    CHAT,
    OTHER,
    WORKER,
    opened,
    received,
    session_row,
)
from tests.support.ports import (
    UnaskedJournals,
    UnaskedMessages,
    UnaskedPublisher,
    UnaskedRecorder,
    session_ports,
    sessions_on,
)
from tests.support.sessions import MemorySessions

SENT: Final = Sent(message_id="M1", chat=CHAT, timestamp=1_700_000_000)
ONCE: Final = {name: handler.once for name, handler in HANDLERS.items() if handler.once is not None}
LATER: Final = (
    RetryableError("not now"),
    DatabaseUnavailableError("not now either"),
    OwnedElsewhereError("another"),
)
NEVER: Final = (InvalidCommandError("not this one"), ValueError("a fault of ours"))


class AnsweredJournals(UnaskedJournals):
    """Journals of hosts that had WhatsApp's answer to everything."""

    async def look_up(
        self,
        directory: Path,
        command_id: str,
        *,
        worker_id: str,
        epoch: int,
        began: datetime | None = None,
    ) -> SendTrace:
        """Return the answer."""
        return Acknowledged(result=SENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """A command whose first run ended without a word, and whose second has begun."""

    command: Command
    entry: Entry
    once: Once
    runs: InterruptedRuns
    attempts: Attempts
    inbox: PostgresInboxStore

    async def ask(self, error: Exception | None = None) -> Effect | None:
        """Ask what the first run has brought about; `error` comes in between, if there is one."""

        async def fails(*_: Any) -> Effect:
            assert error is not None
            raise error

        async def tells(_context: Context, session: Session, *_: Any) -> Effect:
            return Effect(result=Done(), session=session)

        once = replace(self.once, effect_of=tells if error is None else fails)
        return await self.runs.effect_of(self.command, self.entry, once)

    async def state(self) -> Verdict:
        """Put the command back, as before each new attempt, and return what is known of it then."""
        await self.attempts.put_back(self.command)
        return (await self.attempts.look(self.command)).verdict


def command_of(command_type: str) -> Command:
    """Return an example, of this session."""
    payload = load_examples(command_type)[0].payload
    return parse_command(json.dumps({**payload, "subject": "s"}).encode())


@asynccontextmanager
async def interrupted(
    database_url: str, directory: Path, command_type: str
) -> AsyncIterator[Interrupted]:
    """Let a worker begin a command twice."""
    row = session_row("s", **STOPPED)
    ports = replace(
        session_ports(UnaskedRecorder()),
        sessions=MemorySessions(row),
        journals=AnsweredJournals(),
    )
    sessions = sessions_on(ports, worker_id=WORKER, directory=directory)
    sessions.manager.registry.add(sessions.factory.build(replace(row, epoch=1)))
    command = command_of(command_type)
    async with opened(database_url, row) as database:
        store = PostgresInboxStore(database=database)
        stop = asyncio.Event()
        async with running(
            Inbox(store=store), worker_stop=stop, grace_seconds=30, name="i"
        ) as inbox:
            attempts = Attempts(
                worker_id=WORKER,
                manager=sessions.manager,
                inbox=inbox,
                postponer=UnaskedPublisher(),
                clock=sessions.clock,
            )
            await store.enter([received(command.id, epoch=1)])
            entry = await attempts.enter(command)
            assert entry.verdict is Verdict.INTERRUPTED
            context = Context(manager=sessions.manager, messages=UnaskedMessages())
            yield Interrupted(
                command=command,
                entry=entry,
                once=ONCE[command_type],
                runs=InterruptedRuns(context=context, attempts=attempts),
                attempts=attempts,
                inbox=store,
            )


@pytest.mark.parametrize("command_type", ONCE)
async def test_it_stays_interrupted_until_its_effect_is_in_hand(
    database_url: str, tmp_path: Path, command_type: str
) -> None:
    """What fails for now is asked again, as often as need be, and the command is not run."""
    async with interrupted(database_url, tmp_path, command_type) as run:
        for error in LATER:
            with pytest.raises(type(error)):
                await run.ask(error)
            assert run.attempts.is_untraced(run.command)
            assert await run.state() is Verdict.INTERRUPTED
            assert (await run.attempts.enter(run.command)).verdict is Verdict.INTERRUPTED
        effect = await run.ask()

        assert effect is not None
        assert not run.attempts.is_untraced(run.command)


@pytest.mark.parametrize("command_type", ONCE)
@pytest.mark.parametrize("error", NEVER, ids=lambda error: type(error).__name__)
async def test_what_was_done_is_no_failure(
    database_url: str, tmp_path: Path, command_type: str, error: Exception
) -> None:
    """If nobody can say what came of it, it is uncertain, with its message."""
    async with interrupted(database_url, tmp_path, command_type) as run:
        with pytest.raises(UncertainError) as raised:
            await run.ask(error)

        assert raised.value.code is ErrorCode.UNCERTAIN
        assert (raised.value.chat, raised.value.message_id) == (SENT.chat, SENT.message_id)
        assert await run.state() is Verdict.INTERRUPTED


async def test_one_that_cannot_be_traced_is_uncertain(
    database: Database,
    distant: Database,
    settings: BrokerSettings,
    backend: Backend,
    tmp_path: Path,
) -> None:
    """It may have been sent by whoever began it: that there is no room here is not its end."""
    row = session_row("nobodys", worker_id=None, **STOPPED)
    assert await PostgresSessionStore(database=database).create(row)
    command = send("nobodys")
    inbox = PostgresInboxStore(database=database)
    await inbox.enter([received(command.id, "nobodys", worker=OTHER)])

    async with working(distant, settings, tmp_path, capacity=0):
        await backend.publish_raw(
            encode(command), session_id=settings.topology.worker_key(WORKER), message_id=command.id
        )
        outcome = await backend.outcome(command.id)

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.UNCERTAIN
