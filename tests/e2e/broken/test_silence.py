"""A connection that stands and over which nothing comes."""

import pytest

from gateway_contracts import (
    MessageReceived,
    SessionGetStatus,
    SessionInfo,
    SessionState,
    StatusReason,
)
from gateway_worker.sandbox.service.faults import Faults
from tests.e2e.harness import ADA, SHOP, Gateway


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """Settings under which a second of silence is suspicious, and another one proves it."""
    return environment | {"SILENCE_SECONDS": "1", "SILENCE_PROBE_SECONDS": "1"}


async def test_a_silent_connection_is_made_anew(gateway: Gateway) -> None:
    """It is told with a reason of its own and counted, and what was swallowed comes after all."""
    shop = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    after = len(gateway.backend.arrivals)

    gateway.sandbox.faults.set(SHOP, Faults(silent=True))
    message_id = await ada.send_text(SHOP, "are you there?")
    lost = await gateway.until("shop", SessionState.RECONNECTING, after=after)
    gateway.sandbox.faults.clear(SHOP)
    await gateway.until("shop", SessionState.CONNECTED, after=after)
    await gateway.backend.expect(
        MessageReceived, "shop", lambda event: event.data.message_id == message_id, after=after
    )
    await gateway.send("shop", ADA, "yes")
    info = await gateway.succeed(SessionGetStatus(source=gateway.backend.source, subject="shop"))

    assert lost.data.reason is StatusReason.SILENT
    assert isinstance(info, SessionInfo)
    _, metrics = await gateway.worker.probe("/metrics")
    assert b'gateway_disconnects_total{reason="silent"} 1.0' in metrics
    assert b"gateway_silence_seconds " in metrics
    log = gateway.worker.log_path.read_text()
    assert log.count("session.silent") == 1
