"""What WhatsApp and the network do to a connection, and what the session is told of it."""

import pytest

from gateway_worker.errors import SessionNotConnectedError
from gateway_worker.host_protocol.methods.session import Logout
from gateway_worker.host_protocol.signals import Down, Ended, Exited, QrCode, Up
from gateway_worker.sandbox.service.faults import ALWAYS, Faults, LoginFailure, StreamEnd
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.calls import send_text

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def test_a_cut_connection_comes_back(stage: Stage, shop: Account) -> None:
    """Down, then up again by the same host, and sending works."""
    pid = shop.host.pid

    stage.sandbox.connections.drop(shop.phone.number)

    await shop.next(Down)
    await shop.next(Up)
    ben = await stage.customer()
    await shop.host.request(send_text(to=ben.number, text="back"))
    assert (await ben.next_message()).text == "back"
    assert shop.host.pid == pid


async def test_a_service_that_is_away_for_a_while(stage: Stage, shop: Account) -> None:
    """Nothing is sent meanwhile, and that is said at once."""
    await stage.sandbox.service_down()
    try:
        await shop.next(Down)
        with pytest.raises(SessionNotConnectedError):
            await shop.host.request(send_text(to=shop.phone.number, text="x"))
    finally:
        await stage.sandbox.service_up()

    await shop.next(Up)


async def test_a_login_that_the_server_cannot_take_now(stage: Stage, shop: Account) -> None:
    """503: the library tries again by itself."""
    failure = LoginFailure(reason=503, times=1)
    stage.sandbox.faults.set(shop.phone.number, Faults(login_failure=failure))

    stage.sandbox.connections.drop(shop.phone.number)

    await shop.next(Down)
    await shop.next(Up)


async def test_the_phone_unlinks_the_device(stage: Stage) -> None:
    """It is told, the host leaves, and the next one pairs anew."""
    account = await stage.linked()

    account.phone.unlink(account.phone.companions[0])

    assert (await account.next(Ended)).reason == "logged_out"
    assert (await account.next(Exited)).detail == "it left"
    account.jid = None
    await account.launch()
    await account.next(QrCode)
    await account.stop()


async def test_the_same_device_logs_in_elsewhere(stage: Stage) -> None:
    """The host leaves and does not fight; the link stays good."""
    account = await stage.linked()

    stage.sandbox.connections.end(account.phone.number, StreamEnd.REPLACED)

    assert (await account.next(Ended)).reason == "replaced"
    await account.next(Exited)
    await account.resume()
    await account.stop()


@pytest.mark.parametrize(
    ("failure", "reason", "link_survives"),
    [
        (LoginFailure(reason=401), "logged_out", False),
        (LoginFailure(reason=402, expire_seconds=3600), "temporary_ban", True),
        (LoginFailure(reason=403), "logged_out", False),
        (LoginFailure(reason=405), "client_outdated", True),
        (LoginFailure(reason=406), "banned", False),
        (LoginFailure(reason=400), "refused", True),
        (LoginFailure(reason=409), "refused", True),
        (LoginFailure(reason=501), "refused", True),
        # What the library has no name for.
        (LoginFailure(reason=402, ban_code=105, expire_seconds=3600), "temporary_ban", True),
        (LoginFailure(reason=402, ban_code=999, expire_seconds=3600), "temporary_ban", True),
        (LoginFailure(reason=415), "refused", True),
        (LoginFailure(reason=418), "refused", True),
        (LoginFailure(reason=499), "refused", True),
        (LoginFailure(reason=408), "refused_for_now", True),
        (LoginFailure(reason=429), "refused_for_now", True),
        (LoginFailure(reason=502), "refused_for_now", True),
        (LoginFailure(reason=504), "refused_for_now", True),
    ],
    ids=lambda value: (
        f"{value.reason}-{value.ban_code}" if isinstance(value, LoginFailure) else str(value)
    ),
)
async def test_a_login_that_the_server_refuses(
    stage: Stage,
    failure: LoginFailure,
    reason: str,
    link_survives: bool,  # noqa: FBT001
) -> None:
    """Each refusal has its reason; the host leaves; some take the device along."""
    account = await stage.linked()
    await account.stop()
    assert failure.times == ALWAYS
    stage.sandbox.faults.set(account.phone.number, Faults(login_failure=failure))

    await account.launch()

    ended = await account.next(Ended)
    assert ended.reason == reason
    unknown = {105: 105, 999: 999}.get(failure.ban_code, failure.reason)
    if reason.startswith("refused") or unknown != failure.reason:
        assert f"({unknown})" in ended.detail or f"(code {unknown})" in ended.detail
    assert ended.retry_after_seconds == (3600 if reason == "temporary_ban" else None)
    assert (await account.next(Exited)).detail == "it left"
    stage.sandbox.faults.clear(account.phone.number)
    await account.launch()
    if link_survives:
        await account.next(Up)
    else:
        assert (await account.next(Ended)).reason == "store_lost"
    await account.host.stop()


async def test_logging_out(stage: Stage) -> None:
    """The phone has no companion any more, the host leaves as expected."""
    account = await stage.linked()

    await account.host.request(Logout())

    assert (await account.next(Exited)).expected
    assert account.phone.companions == ()
    with pytest.raises(SessionNotConnectedError):
        await account.host.request(Logout())


async def test_logging_out_without_a_connection(stage: Stage) -> None:
    """It fails, and the device stays linked."""
    account = await stage.linked()
    await stage.sandbox.service_down()
    try:
        await account.next(Down)
        with pytest.raises(SessionNotConnectedError):
            await account.host.request(Logout())
    finally:
        await stage.sandbox.service_up()

    await account.next(Up)
    assert len(account.phone.companions) == 1
    await account.stop()
