"""The faulty link that stands between a client and a service; see `gateway_worker.devkit.proxy`."""

from gateway_worker.devkit.proxy import Direction, TcpProxy
from tests.support.pacing import pace

__all__ = ["Direction", "TcpProxy", "cut_again_and_again"]


async def cut_again_and_again(*proxies: TcpProxy) -> None:
    """Reset connections, one service after the other, until cancelled."""
    while True:
        for proxy in proxies:
            await pace(0.12)
            await proxy.cut()
