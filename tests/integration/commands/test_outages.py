"""Commands while database or broker are unavailable: they wait, and then each has its end."""

import asyncio

import pytest

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    SessionCreate,
    SessionCreateData,
    SessionGetStatus,
    SessionStop,
)
from gateway_worker.devkit.backend import Backend
from gateway_worker.storage.db import Database
from tests.integration.commands.conftest import MINE
from tests.integration.commands.support import Station
from tests.integration.commands.test_order import outcomes
from tests.integration.commands.test_outcomes import get_status, nothing_is_left, send
from tests.integration.storage.db.support import value
from tests.support.databases import logins_refused
from tests.support.eventually import eventually
from tests.support.pacing import consistently, pace
from tests.support.proxy import TcpProxy, cut_again_and_again


async def test_commands_wait_for_the_database(
    station: Station, backend: Backend, database: Database, database_proxy: TcpProxy
) -> None:
    """None is dropped or answered with an error, and none is executed twice."""
    await backend.request(get_status("a"))
    await database_proxy.refuse()
    await database_proxy.cut()
    commands = [get_status(session) for _ in range(10) for session in (*MINE, "unheard-of")]
    for command in commands:
        await backend.publish(command)
    await eventually(lambda: station.consumer.in_flight == len(commands), reason="all have come")
    await consistently(lambda: len(backend.arrivals) == 1, seconds=0.3)

    await database_proxy.accept()
    for command in commands:
        outcome = await backend.outcome(command.id)
        assert isinstance(outcome, CommandSucceeded) is (command.subject in MINE)
    for session in MINE:
        ids = [command.id for command in commands if command.subject == session]
        assert outcomes(backend, session)[-len(ids) :] == ids
    # Those of a session that nobody knows look for it again: another worker may just create it.
    attempts = "SELECT max(attempts) FROM commands WHERE session_id <> 'unheard-of'"
    assert await value(database, attempts) == 1
    await nothing_is_left(station)


async def test_commands_wait_while_logins_are_refused(
    station: Station, backend: Backend, database_proxy: TcpProxy, database_url: str
) -> None:
    """A state of the database is no verdict on them: none is dead, each has its one outcome."""
    await backend.request(get_status("a"))
    async with logins_refused(database_url):
        commands = [get_status(session) for _ in range(3) for session in (*MINE, "unheard-of")]
        for command in commands:
            await backend.publish(command)
        await eventually(lambda: station.consumer.in_flight == len(commands), reason="they came")
        before = database_proxy.accepted
        await eventually(lambda: database_proxy.accepted > before + 5, reason="it asks in vain")
        assert len(backend.arrivals) == 1

    for command in commands:
        await backend.outcome(command.id)
    assert {outcome for _, outcome in station.settled} == {"succeeded", "session_not_found"}
    await eventually(
        lambda: station.broker.stats().dead_lettered == 3,
        reason="those of the session that there is not are dead, and no other",
    )


@pytest.mark.parametrize("broken", ["database", "broker", "both"])
async def test_connections_that_are_cut_again_and_again(
    station: Station,
    backend: Backend,
    database: Database,
    database_proxy: TcpProxy,
    broker_proxy: TcpProxy,
    broken: str,
) -> None:
    """Each command is executed once and ends once, in order; no send becomes uncertain."""
    proxies = {
        "database": (database_proxy,),
        "broker": (broker_proxy,),
        "both": (database_proxy, broker_proxy),
    }[broken]

    cutting = asyncio.create_task(cut_again_and_again(*proxies))
    commands = []
    for number in range(40):
        for session in MINE:
            commands.append(send(session) if number % 2 else get_status(session))
            await backend.publish(commands[-1])
        await pace(0.03)
    await pace(0.2)
    cutting.cancel()
    for command in commands:
        outcome = await backend.outcome(command.id)
        if isinstance(command, SessionGetStatus):
            assert isinstance(outcome, CommandSucceeded)
        else:
            assert isinstance(outcome, CommandFailed)
            assert outcome.data.error.code == "session_not_connected"
    for session in MINE:
        ids = [command.id for command in commands if command.subject == session]
        assert list(dict.fromkeys(outcomes(backend, session))) == ids
    assert await value(database, "SELECT max(attempts) FROM commands") == 1
    await nothing_is_left(station)


async def test_a_session_is_created_once_over_lost_answers(
    station: Station, backend: Backend, database: Database, database_proxy: TcpProxy
) -> None:
    """The insertion whose answer was lost is recognised as one's own."""
    slow = """
        CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END';
        CREATE TRIGGER slow AFTER INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION dawdle();
    """
    async with database.direct("preparing") as connection:
        await connection.execute(slow)
    command = SessionCreate(source=backend.source, subject="new", data=SessionCreateData())
    await backend.publish(command)
    sleeping = """
        SELECT count(*) FROM pg_stat_activity
        WHERE wait_event = 'PgSleep' AND datname = current_database()
    """
    await eventually(lambda: value(database, sleeping), reason="the session is being inserted")
    await database_proxy.cut()

    assert isinstance(await backend.outcome(command.id), CommandSucceeded)
    assert await value(database, "SELECT epoch FROM sessions WHERE id = 'new'") == 1
    outcome = await backend.request(SessionStop(source=backend.source, subject="new"))
    assert isinstance(outcome, CommandSucceeded)
    await nothing_is_left(station)
