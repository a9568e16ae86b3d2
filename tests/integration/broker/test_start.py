"""The first connection: whoever starts a worker learns what is wrong."""

import asyncio
import errno
import re

import pytest
from aio_pika import ExchangeType

from gateway_contracts import Topology
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.errors import ConfigurationError, DependencyError
from tests.integration.broker.support import WORKER, Backend, Mill, consuming
from tests.support.eventually import eventually
from tests.support.pacing import consistently
from tests.support.proxy import TcpProxy


async def opened(settings: BrokerSettings) -> None:
    """Open and close."""
    async with Broker.open(settings, worker_id=WORKER):
        pass


def with_url(settings: BrokerSettings, url: str) -> BrokerSettings:
    """Return the settings with another URL."""
    values = settings.model_dump() | {"url": url}
    return BrokerSettings.model_validate(values)


async def test_a_broker_that_cannot_be_reached_is_reported(
    settings: BrokerSettings, proxy: TcpProxy
) -> None:
    """The start ends after its time with address and cause, and without the password."""
    await proxy.refuse()
    brief = settings.model_copy(update={"startup_timeout_seconds": 0.3})
    with pytest.raises(DependencyError, match=re.escape(f"127.0.0.1:{proxy.port}")) as caught:
        await opened(brief)
    assert "cannot be reached" in str(caught.value)
    assert f"Errno {errno.ECONNREFUSED}" in str(caught.value)


async def test_a_broker_that_comes_late_is_waited_for(
    settings: BrokerSettings, proxy: TcpProxy
) -> None:
    """A worker may start before its broker."""
    await proxy.refuse()
    opening = asyncio.create_task(opened(settings))
    await consistently(lambda: not opening.done(), seconds=0.2)
    await proxy.accept()
    await opening


async def test_a_wrong_password_is_reported_at_once(settings: BrokerSettings) -> None:
    """Waiting would not help."""
    url = settings.url.get_secret_value()
    wrong = re.sub(r"://([^:]+):[^@]+@", r"://\1:not-the-password@", url)
    with pytest.raises(ConfigurationError, match="user or the password") as caught:
        await opened(with_url(settings, wrong))
    assert "not-the-password" not in str(caught.value)


async def test_a_missing_virtual_host_is_reported_at_once(settings: BrokerSettings) -> None:
    """Waiting would not help."""
    url = settings.url.get_secret_value().rpartition("/")[0] + "/nowhere"
    with pytest.raises(ConfigurationError, match="virtual host"):
        await opened(with_url(settings, url))


async def test_a_queue_with_other_arguments_is_reported_by_name(
    settings: BrokerSettings, backend: Backend
) -> None:
    """What exists is never changed, and whoever runs the broker is told what to do."""
    queue = settings.topology.worker_queue(WORKER)
    await backend.channel.declare_queue(queue, durable=True)
    with pytest.raises(ConfigurationError, match=re.escape(queue)) as caught:
        await opened(settings)
    assert "other arguments" in str(caught.value)


async def test_an_exchange_of_another_kind_is_reported_by_name(
    settings: BrokerSettings, backend: Backend
) -> None:
    """The same for exchanges."""
    await backend.channel.declare_exchange(
        settings.topology.commands, ExchangeType.TOPIC, durable=True
    )
    with pytest.raises(ConfigurationError, match=re.escape(settings.topology.commands)):
        await opened(settings)


async def test_the_topology_is_what_the_contract_says(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Declaring it with the contract's own values changes nothing, so they are the same."""
    topology: Topology = settings.topology
    await opened(settings)
    for queue in (*topology.queues(), topology.worker_queue_spec(WORKER)):
        await backend.channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
    for exchange in topology.exchanges():
        await backend.channel.declare_exchange(
            exchange.name, ExchangeType(exchange.kind), durable=True, arguments=exchange.arguments
        )


async def test_two_workers_share_what_is_shared(settings: BrokerSettings, backend: Backend) -> None:
    """A second worker finds everything declared; a session's commands reach who bound it."""
    first, second = Mill(), Mill()
    async with consuming(settings, first, "s1") as (broker, _):
        async with Broker.open(settings, worker_id="w2") as other:
            consumer, stop = other.consumer(second), asyncio.Event()
            running = asyncio.create_task(consumer.run(stop))
            await other.bindings.bind("s2")
            await backend.send("s1 1")
            await backend.send("s2 2")
            await backend.send("x 3", routing_key=settings.topology.worker_key("w2"))
            await eventually(lambda: len(second.executed) == 2 and first.executed)
            stop.set()
            await running
            await other.bindings.unbind("s2")
        await broker.bindings.bind("s2")
        await backend.send("s2 4")
        await eventually(lambda: len(first.executed) == 2)
    assert first.executed == ["s1 1", "s2 4"]
    assert sorted(second.executed) == ["s2 2", "x 3"]


async def test_routes_fail_clearly_while_the_broker_is_away(
    settings: BrokerSettings, proxy: TcpProxy
) -> None:
    """The session that wanted to be bound can try again."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        await proxy.refuse()
        await proxy.cut()
        await eventually(lambda: not broker.stats().connected)
        with pytest.raises(DependencyError):
            await broker.bindings.bind("s1")
        assert broker.check().problems
        await proxy.accept()
        await eventually(lambda: broker.check().ready)
        await broker.bindings.bind("s1")


async def test_the_depth_of_a_missing_queue_is_an_error(settings: BrokerSettings) -> None:
    """And costs nothing but its own channel."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        with pytest.raises(DependencyError, match="nowhere"):
            await broker.depth("nowhere")
        assert await broker.depth() == 0
        assert broker.check().ready


async def test_any_host_that_is_there_will_do(
    settings: BrokerSettings, amqp_url: str, proxy: TcpProxy
) -> None:
    """One node is away at the start; then the other one goes, and the first is back."""
    async with TcpProxy.to(amqp_url) as other:
        hosts = f"127.0.0.1:{proxy.port},127.0.0.1:{other.port}"
        url = proxy.url(amqp_url).replace(f"127.0.0.1:{proxy.port}", hosts)
        await proxy.refuse()
        async with Broker.open(with_url(settings, url), worker_id=WORKER):
            await eventually(lambda: other.connections == 3, timeout_seconds=30)
            await proxy.accept()
            await other.refuse()
            await other.cut()
            await eventually(lambda: proxy.connections == 3, timeout_seconds=30)
