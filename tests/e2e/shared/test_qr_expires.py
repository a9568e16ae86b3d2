"""Nobody scans the QR code."""

from gateway_contracts import SessionGetQr, SessionQr, SessionRestart, SessionState, StatusReason
from gateway_worker.sandbox.service.pairing import PAIRING_REFS
from tests.e2e.harness import ErrorCode, Gateway


async def test_a_session_that_nobody_links_fails_and_can_be_tried_again(
    gateway: Gateway, name: str
) -> None:
    """The codes run out: `failed` with `qr_timeout`; a restart shows new ones, which work."""
    phone = await gateway.sandbox.add_phone()
    gateway.sandbox.service.linking.refs_per_offer = 1  # one code of 20 seconds instead of six
    try:
        await gateway.create(name)
        first = await gateway.backend.expect(SessionQr, name)
    finally:
        gateway.sandbox.service.linking.refs_per_offer = PAIRING_REFS

    ended = await gateway.until(name, SessionState.FAILED, seconds=40)
    gone = await gateway.fail(SessionGetQr(source=gateway.backend.source, subject=name))
    after = len(gateway.backend.arrivals)
    await gateway.succeed(SessionRestart(source=gateway.backend.source, subject=name))
    second = await gateway.backend.expect(SessionQr, name, after=after)
    await phone.scan(second.data.code)
    await gateway.until(name, SessionState.CONNECTED, after=after)

    assert ended.data.reason is StatusReason.QR_TIMEOUT
    assert gone.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    assert second.data.code != first.data.code
    assert second.data.attempt == 1
