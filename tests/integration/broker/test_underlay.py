"""What reaches below the client library leaves nothing behind."""

from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.broker.connection import close_channel
from tests.integration.broker.support import WORKER, underlay_of
from tests.support.eventually import eventually
from tests.support.proxy import Direction, TcpProxy


async def test_channels_that_were_closed_leave_nothing_at_their_connection(
    settings: BrokerSettings,
) -> None:
    """Queues are asked for their depth as long as a worker lives, each time on a channel."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        connection = underlay_of(broker._connections.consuming)
        before = len(connection._closing._callbacks or ())
        for _ in range(20):
            await broker.depth()

        assert len(connection._closing._callbacks or ()) == before
        assert len(connection.channels) < 20


async def test_a_channel_that_closes_late_does_not_cost_the_others_theirs(
    settings: BrokerSettings, proxy: TcpProxy
) -> None:
    """Whoever gives up waiting tells the broker nothing more of a channel that it has closed."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        connection = underlay_of(broker._connections.consuming)
        late = await broker._connections.consuming.channel(confirms=False)
        proxy.pause(Direction.TO_CLIENT)
        assert not await close_channel(late, timeout_seconds=0.05)
        assert not await close_channel(late, timeout_seconds=0.05)
        proxy.resume()
        await eventually(lambda: late.is_closed)

        await broker.depth()

        assert underlay_of(broker._connections.consuming) is connection
        assert connection.is_opened
