"""WhatsApp or the owner ends a session: unlinked, replaced, banned, refused."""

import pytest

from gateway_contracts import (
    ErrorCode,
    MessageReceived,
    SessionQr,
    SessionRestart,
    SessionState,
    SessionStatus,
    StatusReason,
)
from gateway_worker.sandbox.service.errors import PairingRefusedError
from gateway_worker.sandbox.service.faults import Faults, LoginFailure, StreamEnd
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.e2e.harness import Gateway


async def test_unlinked_from_the_phone(gateway: Gateway, name: str) -> None:
    """The session is logged out; a restart shows new QR codes."""
    phone = await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    after = len(gateway.backend.arrivals)

    phone.unlink(phone.companions[0])
    event = await gateway.until(name, SessionState.LOGGED_OUT, after=after)
    await gateway.succeed(SessionRestart(source=gateway.backend.source, subject=name))
    qr = await gateway.backend.expect(SessionQr, name, after=after)
    await phone.scan(qr.data.code)
    await gateway.until(name, SessionState.CONNECTED, after=after)

    assert event.data.reason is StatusReason.LOGGED_OUT_FROM_PHONE


async def test_replaced_elsewhere(gateway: Gateway, name: str) -> None:
    """The same device logged in elsewhere: stop and say so, never fight over it."""
    phone = await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    after = len(gateway.backend.arrivals)

    gateway.sandbox.connections.end(phone.number, StreamEnd.REPLACED)
    event = await gateway.until(name, SessionState.STOPPED, after=after)

    assert event.data.reason is StatusReason.STREAM_REPLACED


@pytest.mark.parametrize(
    ("failure", "state", "reason"),
    [
        (LoginFailure(reason=402, ban_code=105), SessionState.BANNED, StatusReason.TEMPORARY_BAN),
        (LoginFailure(reason=405), SessionState.FAILED, StatusReason.CLIENT_OUTDATED),
    ],
)
async def test_a_login_that_whatsapp_refuses(
    gateway: Gateway, name: str, failure: LoginFailure, state: SessionState, reason: StatusReason
) -> None:
    """The state says what it is, and a restart after the fault connects without a QR code."""
    phone = await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    after = len(gateway.backend.arrivals)

    gateway.sandbox.faults.set(phone.number, Faults(login_failure=failure))
    gateway.sandbox.connections.drop(phone.number)
    event = await gateway.until(name, state, after=after)
    refused = await gateway.fail(gateway.text(name, phone.number, "Note"))
    gateway.sandbox.faults.clear(phone.number)
    after = len(gateway.backend.arrivals)
    await gateway.succeed(SessionRestart(source=gateway.backend.source, subject=name))
    await gateway.until(name, SessionState.CONNECTED, after=after)

    assert event.data.reason is reason
    is_banned = state is SessionState.BANNED
    assert refused.data.error.code is (
        ErrorCode.ACCOUNT_RESTRICTED if is_banned else ErrorCode.SESSION_NOT_CONNECTED
    )


async def test_an_account_that_wants_a_passkey(gateway: Gateway, name: str) -> None:
    """The session fails with a reason of its own, and is not tried again by itself."""
    phone = await gateway.sandbox.add_phone()
    gateway.sandbox.faults.set(phone.number, Faults(passkey=True))
    await gateway.create(name)
    qr = await gateway.backend.expect(SessionQr, name)
    with pytest.raises(PairingRefusedError):
        await phone.scan(qr.data.code)
    event = await gateway.until(name, SessionState.FAILED)
    gateway.sandbox.faults.clear(phone.number)
    after = len(gateway.backend.arrivals)
    await gateway.succeed(SessionRestart(source=gateway.backend.source, subject=name))
    qr = await gateway.backend.expect(SessionQr, name, after=after)
    await phone.scan(qr.data.code)
    await gateway.until(name, SessionState.CONNECTED, after=after)

    assert event.data.reason is StatusReason.PASSKEY_REQUIRED
    assert event.data.retry_at is None
    statuses = [
        one.event.data.state
        for one in gateway.backend.arrivals[:after]
        if isinstance(one.event, SessionStatus) and one.event.subject == name
    ]
    assert statuses.count(SessionState.FAILED) == 1
    assert statuses[-1] is SessionState.FAILED


async def test_a_lost_connection_is_made_again(gateway: Gateway, name: str) -> None:
    """The link is cut: reconnecting, then connected, by itself."""
    phone = await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    after = len(gateway.backend.arrivals)

    gateway.sandbox.connections.drop(phone.number)

    event = await gateway.until(name, SessionState.RECONNECTING, after=after)
    await gateway.until(name, SessionState.CONNECTED, after=after)
    assert event.data.reason is StatusReason.CONNECTION_LOST


async def test_a_value_that_the_library_does_not_know(gateway: Gateway, name: str) -> None:
    """A phone that cannot download a picture says so: the session is back, with a reason."""
    phone = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    after = len(gateway.backend.arrivals)
    before = await _library_stops(gateway)

    attrs: Attrs = {"from": ada.jid, "id": "3EB0FF", "type": "server-error", "t": "1790000000"}
    gateway.sandbox.connections.inject(phone.number, Node("receipt", attrs))
    event = await gateway.until(name, SessionState.RECONNECTING, after=after)
    message_id = await ada.send_text(phone.number, "Did you see it?")
    await gateway.until(name, SessionState.CONNECTED, after=after)
    await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.message_id == message_id
    )

    assert event.data.reason is StatusReason.LIBRARY_STOPPED
    assert await _library_stops(gateway) == before + 1


async def _library_stops(gateway: Gateway) -> float:
    _, metrics = await gateway.worker.probe("/metrics")
    (line,) = [
        line for line in metrics.splitlines() if line.startswith(b"gateway_library_stops_total ")
    ]
    return float(line.split()[1])
