"""A backend links an account by a code that is typed on its phone."""

from gateway_contracts import SessionGetQr, SessionPairCode, SessionState
from tests.e2e.harness import SHOP, ErrorCode, Gateway


async def test_an_account_is_linked_by_a_code(gateway: Gateway) -> None:
    """The code comes as an event; typed on the phone, it links the session."""
    phone = await gateway.sandbox.add_phone(SHOP, push_name="Shop")
    await gateway.create("shop", pair_by_code_of=f"+{SHOP}")

    event = await gateway.backend.expect(SessionPairCode, "shop")
    await phone.enter_code(event.data.code)

    connected = await gateway.until("shop", SessionState.CONNECTED)
    assert connected.data.account is not None
    assert connected.data.account.phone_number == f"+{SHOP}"


async def test_a_session_that_pairs_by_code_shows_no_qr(gateway: Gateway) -> None:
    """Asking for one is a mistake of the caller."""
    await gateway.sandbox.add_phone(SHOP)
    await gateway.create("shop", pair_by_code_of=f"+{SHOP}")

    failed = await gateway.fail(SessionGetQr(source=gateway.backend.source, subject="shop"))

    assert failed.data.error.code is ErrorCode.UNSUPPORTED
