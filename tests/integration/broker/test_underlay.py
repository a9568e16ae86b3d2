"""What reaches below the client library leaves nothing behind."""

from gateway_worker.broker import Broker, BrokerSettings
from tests.integration.broker.support import WORKER, underlay_of


async def test_channels_that_were_closed_leave_nothing_at_their_connection(
    settings: BrokerSettings,
) -> None:
    """Queues are asked for their depth as long as a worker lives, each time on a channel."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        connection = underlay_of(broker._consuming)
        before = len(connection._closing._callbacks or ())
        for _ in range(20):
            await broker.depth()

        assert len(connection._closing._callbacks or ()) == before
        assert len(connection.channels) < 20
