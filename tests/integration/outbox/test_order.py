"""Events reach the backend in order and without a gap, whatever breaks on the way."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway_worker.broker import BrokerSettings
from gateway_worker.sessions.changes import Committed
from gateway_worker.storage.db import Database, PostgresChangeStore, StatementRefusedError
from tests.integration.outbox.conftest import SESSIONS
from tests.integration.outbox.support import Backend, by_session, first_times, living
from tests.integration.storage.db.support import (
    WORKER,
    count,
    failed,
    message,
    numbers,
    rows_of,
    value,
)
from tests.support.pacing import pace
from tests.support.proxy import Direction, TcpProxy, cut_again_and_again

ROUNDS = 60
GAPLESS = {session: list(range(1, ROUNDS + 1)) for session in SESSIONS}


@pytest.mark.parametrize("broken", [("broker",), ("database",), ("broker", "database")], ids=str)
async def test_gapless_while_connections_are_cut_again_and_again(
    distant: Database,
    database: Database,
    settings: BrokerSettings,
    backend: Backend,
    broker_proxy: TcpProxy,
    database_proxy: TcpProxy,
    broken: Sequence[str],
) -> None:
    """Every event arrives, a session's in order, and each is marked; repeats have the same id."""
    proxies = {"broker": broker_proxy, "database": database_proxy}
    async with living(distant, settings) as life:
        cutting = asyncio.create_task(cut_again_and_again(*(proxies[name] for name in broken)))
        futures: list[asyncio.Future[Committed]] = []
        for number in range(ROUNDS):
            futures += [life.recorder.record(message(number, session=name)) for name in SESSIONS]
            await pace(0.02)
        committed = await asyncio.gather(*futures)
        cutting.cancel()
        await life.until_published()
        await life.stop()

    assert all(answer.applied for answer in committed)
    assert by_session(await backend.take_all()) == GAPLESS
    assert await value(database, "SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0
    for name in broken:
        assert proxies[name].accepted > 5


async def test_what_nobody_has_confirmed_is_not_overtaken(
    database: Database, settings: BrokerSettings, backend: Backend, broker_proxy: TcpProxy
) -> None:
    """The broker has it, and says so to nobody: it comes again, and nothing after it comes before.

    Then the connection is lost, and with it what was said at last.
    """
    async with living(database, settings) as life:
        await life.until_published()
        broker_proxy.pause(Direction.TO_CLIENT)
        for number in range(3):
            committed = [life.recorder.record(message(number, session=name)) for name in SESSIONS]
            await asyncio.gather(*committed)
        events = await backend.take(2 * len(SESSIONS))
        assert by_session(events) == {session: [1] for session in SESSIONS}
        await broker_proxy.cut()
        broker_proxy.resume()
        await life.until_published()
        await life.stop()

    events += await backend.take_all()
    assert by_session(events) == {session: [1, 2, 3] for session in SESSIONS}


async def test_sessions_do_not_wait_for_each_other(
    database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """Events without a number are published like the others."""
    async with living(database, settings) as life:
        life.recorder.record(failed("c1"))
        for number in range(3):
            for session in SESSIONS:
                life.recorder.record(message(number, session=session))
        life.recorder.record(failed("c2"))
        await life.stop()

    arrived = by_session(await backend.take_all())
    assert arrived.pop("nowhere") == [None, None]
    assert arrived == {session: [1, 2, 3] for session in SESSIONS}


async def test_what_was_recorded_before_the_stop_is_committed_published_and_marked(
    database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """The drain leaves nothing for the next life."""
    async with living(database, settings) as life:
        futures = [life.recorder.record(message(number, session="s0")) for number in range(700)]
        await life.stop()
        assert all(future.done() for future in futures)

    assert by_session(await backend.take_all()) == {"s0": list(range(1, 701))}
    assert await value(database, "SELECT count(published_at) FROM outbox") == 700


async def test_a_refused_change_fails_alone(
    database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """Its own future tells; the others of its batch are committed in order, without a gap."""
    async with living(database, settings) as life:
        good = [life.recorder.record(message(number, session="s0")) for number in range(5)]
        bad = life.recorder.record(message(5, session="s0", chat="a\x00b"))
        good += [life.recorder.record(message(number, session="s0")) for number in range(6, 9)]
        with pytest.raises(StatementRefusedError):
            await bad
        assert numbers(rows_of(await asyncio.gather(*good))) == list(range(1, 9))
        await life.stop()
    assert by_session(await backend.take_all()) == {"s0": list(range(1, 9))}


async def test_an_earlier_life_is_published_first(
    database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """What a killed worker had committed goes out before anything new of its sessions."""
    before = PostgresChangeStore(database=database, worker_id=WORKER)
    for number in range(30):
        await before.commit([message(number, session=session) for session in SESSIONS])
    async with living(database, settings) as life:
        for number in range(30, ROUNDS):
            for session in SESSIONS:
                life.recorder.record(message(number, session=session))
            await pace(0.005)
        await life.until_published()
        await life.stop()

    events = await backend.take_all()
    assert by_session(events) == GAPLESS
    assert len(events) == len(first_times(events))  # nobody crashed: nothing came twice
    assert await count(database, "outbox") == len(events)
