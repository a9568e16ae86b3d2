"""A message that the broker will never take ends by itself, and costs others nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.errors import DependencyError
from gateway_worker.outbox.ports import FullQueueError, UnpublishableError
from gateway_worker.sessions.changes import OutboxRow
from tests.integration.broker.support import WORKER, Backend, row

TOO_LARGE = b"x" * 5_000_000
"""More than the broker of the tests takes, see `devkit/services/rabbitmq.py`."""
TRIES = 20


@pytest.fixture
async def broker(settings: BrokerSettings) -> AsyncIterator[Broker]:
    """Return an open broker."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        yield broker


async def publish(broker: Broker, event: OutboxRow) -> int:
    """Publish as the relay does, and return how often that took."""
    for tries in range(1, TRIES):
        try:
            await broker.publisher.publish(event)
        except FullQueueError:
            raise
        except DependencyError:
            await broker.publisher.ready()
        else:
            return tries
    raise AssertionError("it never was published")


async def test_an_event_that_is_too_large_is_found_out_and_the_others_go_on(
    broker: Broker, backend: Backend
) -> None:
    """It closes the channel of many once, and is tried alone after that."""
    queue = await backend.collect_events()
    large = replace(row(0), body=TOO_LARGE)
    async with asyncio.TaskGroup() as tasks:
        culprit = tasks.create_task(expect_unpublishable(broker, large))
        others = [tasks.create_task(publish(broker, row(number))) for number in range(1, 60)]
    assert "bytes" in culprit.result()
    assert max(other.result() for other in others) <= 3
    came = {message.message_id for message in await backend.take(queue, await backend.depth(queue))}
    assert came == {row(number).event_id for number in range(1, 60)}
    assert broker.stats().unpublishable >= 1


async def expect_unpublishable(broker: Broker, event: OutboxRow) -> str:
    """Publish until the broker is known never to take it, and return why."""
    for _ in range(TRIES):
        try:
            await broker.publisher.publish(event)
        except UnpublishableError as error:
            return error.detail
        except DependencyError:
            await broker.publisher.ready()
        else:
            raise AssertionError("it was published")
    raise AssertionError("it is tried for ever")


async def test_the_next_one_that_is_too_large_closes_nothing(
    broker: Broker, backend: Backend
) -> None:
    """The broker has told its limit."""
    await backend.collect_events()
    await expect_unpublishable(broker, replace(row(0), body=TOO_LARGE))
    await publish(broker, row(3))  # the channel that was lost is there again
    failures = broker.stats().publish_failures
    with pytest.raises(UnpublishableError):
        await broker.publisher.publish(replace(row(1), body=TOO_LARGE))
    assert await publish(broker, row(2)) == 1
    assert broker.stats().publish_failures == failures


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(replace(row(0), routing_key="k" * 256), id="key"),
        pytest.param(replace(row(0), routing_key="ü" * 200), id="key in bytes"),
        pytest.param(replace(row(0), correlation_id="c" * 256), id="correlation id"),
        pytest.param(replace(row(0), traceparent=object()), id="header"),  # type: ignore[arg-type]
    ],
)
async def test_what_cannot_be_written_is_not_tried_again(
    broker: Broker, backend: Backend, event: OutboxRow
) -> None:
    """The channel does not notice."""
    await backend.collect_events()
    with pytest.raises(UnpublishableError):
        await broker.publisher.publish(event)
    assert await publish(broker, row(1)) == 1


async def test_what_is_set_aside_is_a_dead_letter_without_its_body(
    broker: Broker, backend: Backend, settings: BrokerSettings
) -> None:
    """With what is needed to find it in the database."""
    await broker.publisher.set_aside(replace(row(7), body=TOO_LARGE), reason="too large")
    (letter,) = await backend.take(settings.topology.dead_commands, 1)
    assert letter.message_id == row(7).event_id
    assert letter.headers["wa-dead-code"] == "unpublishable"
    assert letter.headers["wa-dead-bytes"] == len(TOO_LARGE)
    assert len(letter.body) < 1000
