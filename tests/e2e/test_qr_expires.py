"""Nobody scans the QR code."""

from gateway_contracts import SessionGetQr, SessionQr, SessionRestart, SessionState, StatusReason
from tests.e2e.harness import SHOP, ErrorCode, Gateway


async def test_a_session_that_nobody_links_fails_and_can_be_tried_again(gateway: Gateway) -> None:
    """The codes run out: `failed` with `qr_timeout`; a restart shows new ones, which work."""
    phone = await gateway.sandbox.add_phone(SHOP)
    gateway.sandbox.service.linking.refs_per_offer = 1  # one code of 20 seconds instead of six
    await gateway.create("shop")
    first = await gateway.backend.expect(SessionQr, "shop")

    ended = await gateway.until("shop", SessionState.FAILED, seconds=40)
    gone = await gateway.fail(SessionGetQr(source=gateway.backend.source, subject="shop"))
    after = len(gateway.backend.arrivals)
    await gateway.succeed(SessionRestart(source=gateway.backend.source, subject="shop"))
    second = await gateway.backend.expect(SessionQr, "shop", after=after)
    await phone.scan(second.data.code)
    await gateway.until("shop", SessionState.CONNECTED, after=after)

    assert ended.data.reason is StatusReason.QR_TIMEOUT
    assert gone.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    assert second.data.code != first.data.code
    assert second.data.attempt == 1
