"""The faulty link that stands between a client and a service; see `gateway_worker.devkit.proxy`."""

from gateway_worker.devkit.proxy import Direction, TcpProxy

__all__ = ["Direction", "TcpProxy"]
