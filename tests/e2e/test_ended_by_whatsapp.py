"""WhatsApp or the owner ends a session: unlinked, replaced, banned, refused."""

import pytest

from gateway_contracts import (
    MessageReceived,
    SessionQr,
    SessionRestart,
    SessionState,
    StatusReason,
)
from gateway_worker.sandbox.service.faults import Faults, LoginFailure, StreamEnd
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.e2e.harness import ADA, SHOP, Gateway


async def test_unlinked_from_the_phone(gateway: Gateway) -> None:
    """The session is logged out; a restart shows new QR codes."""
    phone = await gateway.sandbox.add_phone(SHOP)
    await gateway.link("shop", phone)
    after = len(gateway.backend.arrivals)

    phone.unlink(phone.companions[0])
    event = await gateway.until("shop", SessionState.LOGGED_OUT, after=after)
    await gateway.succeed(SessionRestart(source=gateway.backend.source, subject="shop"))
    qr = await gateway.backend.expect(SessionQr, "shop", after=after)
    await phone.scan(qr.data.code)
    await gateway.until("shop", SessionState.CONNECTED, after=after)

    assert event.data.reason is StatusReason.LOGGED_OUT_FROM_PHONE


async def test_unlinked_while_away(gateway: Gateway) -> None:
    """The login is refused after the restart: logged out, not an endless retry."""
    phone = await gateway.sandbox.add_phone(SHOP)
    await gateway.link("shop", phone)
    await gateway.worker.stop()
    after = len(gateway.backend.arrivals)

    phone.unlink(phone.companions[0])
    await gateway.worker.start()

    event = await gateway.until("shop", SessionState.LOGGED_OUT, after=after)
    assert event.data.reason is StatusReason.LOGGED_OUT_FROM_PHONE


async def test_replaced_elsewhere(gateway: Gateway) -> None:
    """The same device logged in elsewhere: stop and say so, never fight over it."""
    phone = await gateway.sandbox.add_phone(SHOP)
    await gateway.link("shop", phone)
    after = len(gateway.backend.arrivals)

    gateway.sandbox.connections.end(SHOP, StreamEnd.REPLACED)
    event = await gateway.until("shop", SessionState.STOPPED, after=after)

    assert event.data.reason is StatusReason.STREAM_REPLACED


@pytest.mark.parametrize(
    ("failure", "state", "reason"),
    [
        (LoginFailure(reason=402, ban_code=105), SessionState.BANNED, StatusReason.TEMPORARY_BAN),
        (LoginFailure(reason=405), SessionState.FAILED, StatusReason.CLIENT_OUTDATED),
    ],
)
async def test_a_login_that_whatsapp_refuses(
    gateway: Gateway, failure: LoginFailure, state: SessionState, reason: StatusReason
) -> None:
    """The state says what it is, and a restart after the fault connects without a QR code."""
    phone = await gateway.sandbox.add_phone(SHOP)
    await gateway.link("shop", phone)
    after = len(gateway.backend.arrivals)

    gateway.sandbox.faults.set(SHOP, Faults(login_failure=failure))
    gateway.sandbox.connections.drop(SHOP)
    event = await gateway.until("shop", state, after=after)
    gateway.sandbox.faults.clear(SHOP)
    after = len(gateway.backend.arrivals)
    await gateway.succeed(SessionRestart(source=gateway.backend.source, subject="shop"))
    await gateway.until("shop", SessionState.CONNECTED, after=after)

    assert event.data.reason is reason


async def test_a_lost_connection_is_made_again(gateway: Gateway) -> None:
    """The link is cut: reconnecting, then connected, by itself."""
    phone = await gateway.sandbox.add_phone(SHOP)
    await gateway.link("shop", phone)
    after = len(gateway.backend.arrivals)

    gateway.sandbox.connections.drop(SHOP)

    event = await gateway.until("shop", SessionState.RECONNECTING, after=after)
    await gateway.until("shop", SessionState.CONNECTED, after=after)
    assert event.data.reason is StatusReason.CONNECTION_LOST


async def test_a_value_that_the_library_does_not_know(gateway: Gateway) -> None:
    """A phone that cannot download a picture says so: the session is back, with a reason."""
    phone = await gateway.sandbox.add_phone(SHOP)
    ada = await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", phone)
    after = len(gateway.backend.arrivals)

    attrs: Attrs = {"from": ada.jid, "id": "3EB0FF", "type": "server-error", "t": "1790000000"}
    gateway.sandbox.connections.inject(SHOP, Node("receipt", attrs))
    event = await gateway.until("shop", SessionState.RECONNECTING, after=after)
    message_id = await ada.send_text(SHOP, "Did you see it?")
    await gateway.until("shop", SessionState.CONNECTED, after=after)
    await gateway.backend.expect(
        MessageReceived, "shop", lambda event: event.data.message_id == message_id
    )

    assert event.data.reason is StatusReason.LIBRARY_STOPPED
    _, metrics = await gateway.worker.probe("/metrics")
    assert b"gateway_library_stops_total 1.0" in metrics
