"""A backend links an account by a code that is typed on its phone."""

from gateway_contracts import SessionGetQr, SessionPairCode, SessionState
from tests.e2e.harness import ErrorCode, Gateway


async def test_an_account_is_linked_by_a_code(gateway: Gateway, name: str) -> None:
    """The code comes as an event; typed on the phone, it links the session."""
    phone = await gateway.sandbox.add_phone(push_name="Shop")
    await gateway.create(name, pair_by_code_of=f"+{phone.number}")

    event = await gateway.backend.expect(SessionPairCode, name)
    await phone.enter_code(event.data.code)

    connected = await gateway.until(name, SessionState.CONNECTED)
    assert connected.data.account is not None
    assert connected.data.account.phone_number == f"+{phone.number}"


async def test_a_session_that_pairs_by_code_shows_no_qr(gateway: Gateway, name: str) -> None:
    """Asking for one is a mistake of the caller."""
    shop = await gateway.sandbox.add_phone()
    await gateway.create(name, pair_by_code_of=f"+{shop.number}")

    failed = await gateway.fail(SessionGetQr(source=gateway.backend.source, subject=name))

    assert failed.data.error.code is ErrorCode.UNSUPPORTED
