"""Commands of a session run in order, sessions side by side, and each where its owner is."""

import asyncio
from pathlib import Path

import aio_pika

from gateway_contracts import CommandFailed, CommandSucceeded, SessionInfo, SessionState, encode
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.storage.db import Database, PostgresSessionStore
from tests.integration.commands.conftest import CONNECTING, MINE, THEIRS
from tests.integration.commands.support import Station, working
from tests.integration.commands.test_outcomes import get_status, nothing_is_left, send
from tests.integration.storage.db.support import OTHER, SEND, WORKER, count, session_row, value
from tests.support.eventually import eventually

GET_STATUS = "wa.session.get_status.v1"
PATIENT = SessionLimits(connect_wait_seconds=600, restart_maximum_seconds=0.5)


def outcomes(backend: Backend, session_id: str) -> list[str]:
    """Return the ids of a session's commands in the order in which their ends were announced."""
    return [
        event.correlationid or ""
        for event in backend.events_of(session_id)
        if isinstance(event, CommandSucceeded | CommandFailed)
    ]


async def test_commands_of_a_session_end_in_the_order_they_came(
    station: Station, backend: Backend
) -> None:
    """Sends among themselves, look-ups among themselves, with gapless numbers."""
    commands = [
        get_status(session) if number % 2 else send(session)
        for number in range(40)
        for session in MINE
    ]
    for command in commands:
        await backend.publish(command)
    for command in commands:
        await backend.outcome(command.id)
    await nothing_is_left(station)

    for session in MINE:
        for kind in (SEND, GET_STATUS):
            expected = [one.id for one in commands if (one.subject, one.type) == (session, kind)]
            assert [one for one in outcomes(backend, session) if one in expected] == expected
        numbers = [event.sequence for event in backend.events_of(session)]
        assert numbers == [f"{number:020d}" for number in range(1, len(numbers) + 1)]


async def test_a_slow_session_holds_up_only_itself(
    distant: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """A send that waits for a connection; the others' commands end meanwhile."""
    limits = SessionLimits(connect_wait_seconds=3.0)
    async with working(distant, settings, tmp_path, limits=limits) as station:
        slow, behind = send(CONNECTING), send(CONNECTING)
        await backend.publish(slow)
        await backend.publish(behind)
        for session in MINE:
            await backend.request(get_status(session))
        assert outcomes(backend, CONNECTING) == []
        await backend.outcome(behind.id)
        assert outcomes(backend, CONNECTING) == [slow.id, behind.id]
        await nothing_is_left(station)


async def test_what_another_worker_owns_is_sent_on(
    station: Station, backend: Backend, database: Database, other_queue: str, amqp_url: str
) -> None:
    """As it came, in order, and not entered: for its owner these are new commands."""
    commands = [get_status(THEIRS) for _ in range(10)]
    for command in commands:
        await backend.publish(command)
    await eventually(lambda: _depth_is(station, other_queue, 10), reason="all are sent on")
    await nothing_is_left(station)

    assert await count(database, "commands") == 0
    assert backend.events_of(THEIRS) == []
    async with await aio_pika.connect(amqp_url) as connection:
        queue = await (await connection.channel()).get_queue(other_queue)
        messages = []
        async with queue.iterator(no_ack=True) as arriving:
            async for message in arriving:
                messages.append(message)
                if len(messages) == len(commands):
                    break
    assert [message.body for message in messages] == [encode(command) for command in commands]
    assert [message.message_id for message in messages] == [command.id for command in commands]


async def test_two_workers_share_the_sessions(
    distant: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """Each command ends at the owner, also if the wrong worker took it first."""
    async with (
        working(distant, settings, tmp_path / "1") as mine,
        working(distant, settings, tmp_path / "2", worker_id=OTHER) as theirs,
    ):
        for session, worker in ((THEIRS, OTHER), ("a", WORKER), (THEIRS, OTHER)):
            outcome = await backend.request(get_status(session))
            assert isinstance(outcome, CommandSucceeded)
            assert outcome.source == f"/workers/{worker}"
            assert isinstance(outcome.data.result, SessionInfo)
            assert outcome.data.result.worker == worker
        await nothing_is_left(mine)
        await nothing_is_left(theirs)


async def test_a_session_that_nobody_owns_is_claimed(
    station: Station, backend: Backend, database: Database
) -> None:
    """By whoever gets its first command; from then on its commands come here directly."""
    sessions = PostgresSessionStore(database=database)
    await sessions.create(session_row("free", worker_id=None, state=SessionState.STOPPED))
    async with database.direct("stopping") as connection:
        await connection.execute("UPDATE sessions SET desired = 'stopped' WHERE id = 'free'")
    assert isinstance(await backend.request(get_status("free")), CommandSucceeded)

    row = await sessions.get("free")
    assert row is not None
    assert (row.worker_id, row.epoch) == (WORKER, 2)
    assert isinstance(await backend.request(get_status("free")), CommandSucceeded)
    assert await value(database, "SELECT epoch FROM sessions WHERE id = 'free'") == 2


async def test_a_session_that_was_taken_away(
    station: Station, backend: Backend, database: Database, other_queue: str
) -> None:
    """The old owner notices before it begins, writes nothing, and leaves it to the new one."""
    assert isinstance(await backend.request(get_status("a")), CommandSucceeded)
    async with database.direct("taking away") as connection:
        await connection.execute(
            "UPDATE sessions SET worker_id = $1, epoch = epoch + 1 WHERE id = 'a'", OTHER
        )
    command = get_status("a")
    await backend.publish(command)
    await eventually(lambda: _depth_is(station, other_queue, 1), reason="it is sent on")
    await nothing_is_left(station)

    assert command.id not in outcomes(backend, "a")
    entered = f"SELECT count(*) FROM commands WHERE id = '{command.id}'"
    assert await value(database, entered) == 0


async def test_a_worker_that_leaves_gives_back_what_it_has_not_begun(
    database: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """And what waits: the next life ends it all, in order."""
    commands = [send(CONNECTING) for _ in range(6)]
    async with working(database, settings, tmp_path, limits=PATIENT) as first:
        for command in commands:
            await backend.publish(command)
        await eventually(lambda: first.dispatcher.waiting == 5, reason="all have arrived")
        await first.stop()
    assert outcomes(backend, CONNECTING) == []

    async with working(database, settings, tmp_path) as second:
        await backend.outcome(commands[-1].id)
        await nothing_is_left(second)
    assert outcomes(backend, CONNECTING) == [command.id for command in commands]


async def _depth_is(station: Station, queue: str, depth: int) -> bool:
    await asyncio.sleep(0)
    return await station.broker.depth(queue) == depth
