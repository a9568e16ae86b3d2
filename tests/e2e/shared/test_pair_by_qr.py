"""A backend links an account by a QR code."""

from gateway_contracts import (
    QrInfo,
    SessionCreate,
    SessionGetQr,
    SessionGetQrData,
    SessionGetStatus,
    SessionInfo,
    SessionQr,
    SessionState,
    SessionStatus,
)
from tests.e2e.harness import ErrorCode, Gateway


async def test_an_account_is_linked_by_its_qr_code(gateway: Gateway, name: str) -> None:
    """Created, QR, scanned, connected: each step is announced, in order and without gaps."""
    phone = await gateway.sandbox.add_phone(push_name="Shop")
    await gateway.link(name, phone)

    statuses = [
        (event.data.previous, event.data.state)
        for event in gateway.backend.events_of(name)
        if isinstance(event, SessionStatus)
    ]
    assert statuses == [
        (None, SessionState.CREATED),
        (SessionState.CREATED, SessionState.PAIRING),
        (SessionState.PAIRING, SessionState.CONNECTING),
        (SessionState.CONNECTING, SessionState.CONNECTED),
    ]
    numbers = [int(event.sequence or 0) for event in gateway.backend.events_of(name)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(phone.companions) == 1


async def test_status_names_the_linked_account(gateway: Gateway, name: str) -> None:
    """`session.get_status` says which account the session is."""
    phone = await gateway.sandbox.add_phone(push_name="Shop")
    await gateway.link(name, phone)

    info = await gateway.succeed(SessionGetStatus(source=gateway.backend.source, subject=name))

    assert isinstance(info, SessionInfo)
    assert info.state is SessionState.CONNECTED
    assert info.account is not None
    assert info.account.phone_number == f"+{phone.number}"


async def test_the_qr_code_can_be_asked_for_as_an_image(gateway: Gateway, name: str) -> None:
    """`session.get_qr` returns the code of the newest event, and draws it."""
    await gateway.create(name)
    event = await gateway.backend.expect(SessionQr, name)

    info = await gateway.succeed(
        SessionGetQr(source=gateway.backend.source, subject=name, data=SessionGetQrData(png=True))
    )

    assert isinstance(info, QrInfo)
    assert info.code == event.data.code
    assert info.png is not None
    assert info.png.startswith("iVBOR")  # the base64 of a PNG's first bytes


async def test_a_linked_session_has_no_qr_code(gateway: Gateway, name: str) -> None:
    """Asking for one is a mistake of the caller."""
    phone = await gateway.sandbox.add_phone()
    await gateway.link(name, phone)

    failed = await gateway.fail(SessionGetQr(source=gateway.backend.source, subject=name))

    assert failed.data.error.code is ErrorCode.SESSION_LINKED


async def test_a_second_create_is_refused(gateway: Gateway, name: str) -> None:
    """A session id names one session."""
    await gateway.create(name)

    failed = await gateway.fail(SessionCreate(source=gateway.backend.source, subject=name))

    assert failed.data.error.code is ErrorCode.SESSION_EXISTS
