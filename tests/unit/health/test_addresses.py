"""Where the probes are answered."""

import socket

import pytest

from gateway_worker.health import HealthSettings, HealthSidecar, Lifecycle
from gateway_worker.metrics import make_metrics
from gateway_worker.runtime.clock import SystemClock


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_every_address_means_every_one(host: str) -> None:
    """`::` serves IPv4 too, whatever the system's default for such sockets."""
    clock = SystemClock()
    sidecar = HealthSidecar(
        settings=HealthSettings(host=host, port=0),
        worker_id="w",
        metrics=make_metrics(versions={}),
        lifecycle=Lifecycle(clock=clock),
        clock=clock,
    )
    sidecar.bind()
    try:
        socket.create_connection(("127.0.0.1", sidecar.port), timeout=5).close()
    finally:
        sidecar._close_socket()
