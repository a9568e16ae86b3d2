"""The relay when the broker or the table is away, and when the worker is killed."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import aio_pika
import aio_pika.abc
import orjson

from gateway_worker.broker import BrokerSettings
from gateway_worker.outbox.pruning import Pruner, Shelf
from gateway_worker.outbox.relay import Memory
from gateway_worker.sessions.changes import Change
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresOutboxStore
from tests.integration.outbox.support import Backend, Life, by_session, first_times, living
from tests.integration.storage.db.support import WORKER, count, message, value
from tests.support.dead_letters import DeadLetters
from tests.support.eventually import eventually
from tests.support.pacing import consistently, pace
from tests.support.proxy import TcpProxy

MARKED = "SELECT count(published_at) FROM outbox"


async def test_a_long_outage_of_the_broker_does_not_fill_the_memory(
    database: Database, settings: BrokerSettings, backend: Backend, broker_proxy: TcpProxy
) -> None:
    """Rows beyond the limit wait in the table and are read from there, in order."""
    async with living(database, settings, memory=Memory(rows=25)) as life:
        rows = [message(number, session=f"s{number % 2}") for number in range(400)]
        most = await _record_in_an_outage(
            life, rows, broker_proxy=broker_proxy, held=lambda: life.relay.held
        )
        assert 0 < most <= 25
        assert (await life.outbox.backlog()).depth == 399

        async def is_drained() -> bool:
            return (await life.outbox.backlog()).depth == 0

        await broker_proxy.accept()
        await consistently(lambda: life.relay.held <= 25, until=is_drained)
        await eventually(lambda: not life.relay.is_behind, reason="the table is read to its end")
        await life.stop()

    assert by_session(await backend.take_all()) == {
        "s0": list(range(1, 201)),
        "s1": list(range(1, 201)),
    }


async def test_large_events_do_not_fill_the_memory_either(
    database: Database, settings: BrokerSettings, backend: Backend, broker_proxy: TcpProxy
) -> None:
    """Few of them are held, however many there may be of small ones."""
    async with living(database, settings, memory=Memory(size_bytes=400_000)) as life:
        rows = [message(number, session="s0", words="x" * 60_000) for number in range(30)]
        most = await _record_in_an_outage(
            life, rows, broker_proxy=broker_proxy, held=lambda: life.relay.held_bytes
        )
        assert 0 < most <= 400_000
        await broker_proxy.accept()
        await life.until_published()
        assert life.relay.held_bytes == 0
        await life.stop()

    assert by_session(await backend.take_all()) == {"s0": list(range(1, 31))}


async def _record_in_an_outage(
    life: Life, rows: Sequence[Change], *, broker_proxy: TcpProxy, held: Callable[[], int]
) -> int:
    """Take the broker away once the first row is published; return the most that was held."""
    await life.recorder.record(rows[0])
    await life.until_published()
    await broker_proxy.refuse()
    await broker_proxy.cut()
    most = 0
    for row in rows[1:]:
        await life.recorder.record(row)
        most = max(most, held())
    assert life.relay.is_behind
    return most


async def test_what_former_owners_have_left_does_not_fill_the_memory_either(
    database: Database, settings: BrokerSettings, backend: Backend, broker_proxy: TcpProxy
) -> None:
    """Nobody who takes sessions up waits for room, and what comes later goes out later."""
    others = ("s1", "s2", "s3")
    async with living(database, settings, memory=Memory(size_bytes=400_000)) as life:
        await life.recorder.record(message(0, session="s0"))
        await life.until_published()
        await eventually(lambda: not life.relay.is_behind)
        await broker_proxy.refuse()
        await broker_proxy.cut()
        for number in range(1, 6):
            await life.recorder.record(message(number, session="s0", words="x" * 60_000))
        left = PostgresChangeStore(database=database, worker_id=WORKER)
        for number in range(12):
            words = "x" * 60_000
            await left.commit([message(number, session=name, words=words) for name in others])
        await asyncio.gather(*(life.relay.adopt([name]) for name in others))
        for number in range(12, 20):
            recording = (life.recorder.record(message(number, session=name)) for name in others)
            await asyncio.gather(*recording)
            assert 300_000 <= life.relay.held_bytes <= 400_000
        await broker_proxy.accept()
        await life.until_published()
        await life.stop()

    assert by_session(await backend.take_all()) == {
        "s0": list(range(1, 7)),
        **{name: list(range(1, 21)) for name in others},
    }


async def test_what_a_former_owner_has_left_is_read_once_where_it_fits(
    database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """It is told once then, before anything newer."""
    async with living(database, settings) as life:
        await eventually(lambda: not life.relay.is_behind)
        reads = life.outbox.reads
        left = PostgresChangeStore(database=database, worker_id=WORKER)
        for number in range(20):
            await left.commit([message(number, session="s0")])
        await life.relay.adopt(["s0"])
        await life.recorder.record(message(20, session="s0"))
        await life.until_published()
        assert life.outbox.reads == reads
        await life.stop()

    assert [event.sequence for event in await backend.take_all()] == list(range(1, 22))


async def test_the_table_is_left_alone_again_after_an_outage_under_load(
    database: Database, settings: BrokerSettings, backend: Backend, broker_proxy: TcpProxy
) -> None:
    """Events that keep coming do not keep the relay at reading page after page."""

    async def load(life: Life) -> None:
        number = 0
        while True:
            number += 1
            life.recorder.record(message(number, session=f"s{number % 5}"))
            await pace(0.01)

    async with living(database, settings, memory=Memory(rows=25)) as life:
        loading = asyncio.create_task(load(life))
        await eventually(lambda: life.outbox.reads > 0)
        await broker_proxy.refuse()
        await broker_proxy.cut()
        await eventually(lambda: count(database, "outbox"), reason="load")
        await eventually(lambda: life.relay.held > 20, reason="the memory is full")
        await pace(0.3)
        await broker_proxy.accept()
        await eventually(lambda: life.outbox.reads > 1, reason="the table is read")

        async def quiet() -> bool:
            before = life.outbox.reads
            await consistently(lambda: life.outbox.reads == before, seconds=1.0)
            return life.relay.held < 25

        await eventually(quiet, timeout_seconds=30, reason="rows come straight from the recorder")
        loading.cancel()
        await life.stop()

    for sequences in by_session(await backend.take_all()).values():
        assert sequences == list(range(1, len(sequences) + 1))


async def test_a_crash_between_publication_and_mark_repeats_the_same_event(
    database: Database,
    distant: Database,
    settings: BrokerSettings,
    backend: Backend,
    database_proxy: TcpProxy,
) -> None:
    """Same id, same body, same number: the backend can tell, and nothing is missing."""
    async with living(database, settings, marks=distant) as life:
        await _lose_the_table_after_one(life, database_proxy)
        for number in range(1, 6):
            await life.recorder.record(message(number, session="s0"))
        first = await backend.take(6)
        await life.kill()
    assert await value(database, MARKED) == 1

    async with living(database, settings) as life:
        await life.recorder.record(message(6, session="s0"))
        await life.until_published()
        await life.stop()
    second = await backend.take_all()

    assert [event.sequence for event in second] == [2, 3, 4, 5, 6, 7]
    assert second[:5] == first[1:]
    assert len(first_times([*first, *second])) == 7


async def test_events_go_out_while_marks_have_to_wait(
    database: Database,
    distant: Database,
    settings: BrokerSettings,
    backend: Backend,
    database_proxy: TcpProxy,
) -> None:
    """The table is away for the relay only; the marks are written when it is back."""
    async with living(database, settings, marks=distant) as life:
        await _lose_the_table_after_one(life, database_proxy)
        for number in range(1, 50):
            await life.recorder.record(message(number, session="s0"))
        await backend.take(50)
        assert await value(database, MARKED) == 1
        await database_proxy.accept()
        await eventually(lambda: _all_marked(database, 50), reason="the marks are written")
        await life.stop()


async def test_a_relay_that_is_killed_leaves_nothing_running(
    database: Database, settings: BrokerSettings, backend: Backend, broker_proxy: TcpProxy
) -> None:
    """While the broker is unavailable it publishes again for ever; not beyond its own end."""
    async with living(database, settings) as life:
        await life.recorder.record(message(0, session="s0"))
        await life.until_published()
        await broker_proxy.refuse()
        await broker_proxy.cut()
        await life.recorder.record(message(1, session="s0"))
        await eventually(lambda: life.relay.held == 1)
        life.stops[1].set()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await asyncio.shield(life.tasks[1])
        await life.kill()
        assert [task for task in asyncio.all_tasks() if task.get_name().startswith("relay")] == []
        await broker_proxy.accept()
    assert await value(database, MARKED) == 1


async def test_what_was_published_long_ago_is_pruned(
    database: Database, settings: BrokerSettings, backend: Backend
) -> None:
    """At once what is old by now, and again and again until the stop."""
    outbox = PostgresOutboxStore(database=database, worker_id=WORKER)
    stop = asyncio.Event()
    pruned: list[int] = []

    async def prune(limit: int) -> int:
        return await outbox.prune(keep_seconds=0.0, limit=limit)

    pruner = Pruner(
        shelves=[Shelf(name="outbox", prune=prune)],
        interval_seconds=0.05,
        pruned=lambda _name, rows: pruned.append(rows),
    )
    async with living(database, settings) as life, asyncio.TaskGroup() as tasks:
        tasks.create_task(pruner.run(stop))
        for number in range(3):
            await life.recorder.record(message(number, session="s0"))
            await eventually(lambda: _is_empty(database), reason="published, marked, pruned")
        stop.set()
    assert by_session(await backend.take_all()) == {"s0": [1, 2, 3]}
    assert sum(pruned) == 3


async def _lose_the_table_after_one(life: Life, database_proxy: TcpProxy) -> None:
    """Publish an event and mark it, then let no later mark through."""
    await eventually(lambda: life.outbox.reads > 0)
    await life.recorder.record(message(0, session="s0"))
    await life.until_published()
    await database_proxy.refuse()
    await database_proxy.cut()


async def _all_marked(database: Database, number: int) -> bool:
    return bool(await value(database, MARKED) == number)


async def _is_empty(database: Database) -> bool:
    return await count(database, "outbox") == 0


async def test_a_full_queue_of_one_backend_does_not_hold_up_the_events_of_others(
    database: Database, settings: BrokerSettings, backend: Backend, amqp_url: str
) -> None:
    """After a moment all events go on without it; the others get each, in order."""
    patience = settings.model_copy(update={"full_queue_patience_seconds": 0.2})
    async with living(database, patience) as life, await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        full = await channel.declare_queue(
            "", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        )
        await full.bind(settings.topology.events, "#")
        for number in range(60):
            life.recorder.record(message(number, session=f"s{number % 2}"))
        await eventually(lambda: life.relay.passed_over > 0)
        await life.until_published()
        assert (await channel.declare_queue(full.name, passive=True)).name
        await life.stop()

    came = first_times(await backend.take_all())
    assert by_session(came) == {"s0": list(range(1, 31)), "s1": list(range(1, 31))}


async def test_a_fleet_with_one_backend_may_wait_for_its_full_queue(
    database: Database, settings: BrokerSettings, backend: Backend, amqp_url: str
) -> None:
    """Then nothing is missed: what was refused comes when there is room."""
    patience = settings.model_copy(update={"full_queue_patience_seconds": float("inf")})
    async with living(database, patience) as life, await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        full = await channel.declare_queue(
            "", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        )
        await full.bind(settings.topology.events, "#")
        for number in range(5):
            await life.recorder.record(message(number, session="s0"))
        await eventually(lambda: life.relay.held > 0)
        assert (await life.outbox.backlog()).depth > 0
        arrived: list[int] = []

        async def take(arriving: aio_pika.abc.AbstractIncomingMessage) -> None:
            arrived.append(int(orjson.loads(arriving.body)["sequence"]))
            await arriving.ack()

        await full.consume(take)
        await life.until_published()
        await eventually(lambda: set(arrived) == {1, 2, 3, 4, 5})
        assert life.relay.passed_over == 0
        await life.stop()


async def test_an_event_that_cannot_be_published_is_set_aside_and_those_behind_it_go_on(
    database: Database, settings: BrokerSettings, backend: Backend, amqp_url: str
) -> None:
    """Of its own session too; whoever runs the gateway finds it among the dead letters."""
    async with living(database, settings) as life:
        texts = ["x" * 5_000_000 if number == 10 else "hello" for number in range(30)]
        for number, text in enumerate(texts):
            await life.recorder.record(message(number, session=f"s{number % 2}", words=text))
        await life.until_published()
        assert life.relay.unpublishable == 1
        await life.stop()

    async with DeadLetters.open(amqp_url, settings.topology) as letters:
        letter = await letters.next()
    assert letter.code == "unpublishable"
    assert "bytes" in letter.reason
    came = by_session(first_times(await backend.take_all()))
    assert came == {"s0": [*range(1, 6), *range(7, 16)], "s1": list(range(1, 16))}
