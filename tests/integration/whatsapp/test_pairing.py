"""Linking an account, taking it up again, and what becomes of a store."""

import shutil

import pytest
import pytest_asyncio

from gateway_contracts.commands import PairByCode
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import (
    Ended,
    Exited,
    Linked,
    PairCode,
    PairingEnd,
    PairingFailed,
    QrCode,
    Up,
)
from gateway_worker.sandbox.phones.errors import WrongCodeError
from gateway_worker.sandbox.service.errors import PairingRefusedError
from gateway_worker.sandbox.service.faults import Faults
from tests.integration.whatsapp.stage import Account, Stage

FIREFOX = 2
"""WhatsApp's number of it."""

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("forgotten"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def forgotten(stage: Stage) -> Account:
    """Show a code that nobody will scan; the library waits 20 seconds, beside the other tests."""
    account = await stage.account()
    stage.sandbox.service.linking.refs_per_offer = 1
    try:
        await account.launch()
        await account.next(QrCode)
    finally:
        stage.sandbox.service.linking.refs_per_offer = 6
    return account


async def test_pairing_by_qr_code_and_resuming(stage: Stage) -> None:
    """The phone scans, the account is told, and another host takes the device up."""
    account = await stage.account(name="Anna, of the shop")
    account.settings = HostSettings(platform="firefox")
    await account.launch()

    qr = await account.next(QrCode)
    companion = await account.phone.scan(qr.code)
    paired = await account.next(Linked)
    up = await account.next(Up)

    assert 0 < qr.valid_seconds <= 60
    assert paired.account.jid == up.account.jid == str(companion.number)
    assert up.account.lid == str(companion.device)
    assert up.account.phone_number == f"+{account.phone.number}"
    assert (companion.platform, companion.platform_type) == ("Test gateway", FIREFOX)
    account.jid = up.account.jid
    assert (await account.stop()).expected
    await account.launch()
    again = await account.next(Up)
    assert again.account.jid == account.jid
    assert not any(
        isinstance(event, Linked) for event in account.events[account.taken[False] - 1 :]
    )
    await account.stop()


async def test_pairing_by_code(stage: Stage) -> None:
    """A wrong code is noticed by the phone, the right one links; no QR code is shown."""
    account = await stage.account()
    await account.launch(pairing=PairByCode(phone_number=f"+{account.phone.number}"))

    issued = await account.next(PairCode)
    wrong = "1" * 8 if issued.code[0] != "1" else "2" * 8
    with pytest.raises(WrongCodeError):
        await account.phone.enter_code(wrong)
    companion = await account.phone.enter_code(issued.code)

    up = await account.next(Up)
    assert up.account.jid == str(companion.number)
    assert len(issued.code) == 9
    assert not any(isinstance(event, QrCode) for event in account.events)
    await account.stop()


@pytest.mark.parametrize("way", ["qr", "code"])
async def test_an_account_that_wants_a_passkey(stage: Stage, way: str) -> None:
    """The library has no way to give one: the host says so and leaves, by QR code or by code."""
    account = await stage.account()
    phone = account.phone
    stage.sandbox.faults.set(phone.number, Faults(passkey=True))
    by_code = PairByCode(phone_number=f"+{phone.number}")
    await account.launch(pairing=by_code if way == "code" else None)

    link = (
        phone.enter_code((await account.next(PairCode)).code)
        if way == "code"
        else phone.scan((await account.next(QrCode)).code)
    )
    with pytest.raises(PairingRefusedError, match="passkey"):
        await link

    assert (await account.next(PairingFailed)).end is PairingEnd.PASSKEY
    assert (await account.next(Exited)).detail == "it left"
    assert not phone.companions


async def test_stopping_while_pairing(stage: Stage) -> None:
    """The host leaves at once although the library is waiting for the phone."""
    account = await stage.account()
    await account.launch()
    await account.next(QrCode)

    left = await account.stop()

    assert (left.expected, left.detail) == (True, "it left")


async def test_a_link_made_just_before_a_crash_is_taken_up(stage: Stage) -> None:
    """The store holds a device that nobody was told of: no second pairing."""
    account = await stage.linked()
    jid, account.jid = account.jid, None
    account.host.kill()
    await account.next(Exited)

    await account.launch()

    assert (await account.next(Linked)).account.jid == jid
    assert (await account.next(Up)).account.jid == jid
    await account.stop()


@pytest.mark.parametrize("rest", ["nothing", "another device"])
async def test_a_store_without_the_device(stage: Stage, rest: str) -> None:
    """It is said and the host leaves; naming the device to the library would abort it."""
    account = await stage.account()
    account.jid = f"{account.phone.number}:1@s.whatsapp.net"
    if rest == "another device":
        other = await stage.linked()
        await other.stop()
        shutil.copytree(other.directory, account.directory)

    await account.launch()

    assert (await account.next(Ended)).reason == "store_lost"
    assert (await account.next(Exited)).detail == "it left"


async def test_nobody_scans(forgotten: Account) -> None:
    """Pairing ends, the host leaves by itself, and the next one shows new codes."""
    ended = await forgotten.next(PairingFailed, patience_seconds=45)
    left = await forgotten.next(Exited)

    assert ended.end is PairingEnd.TIMED_OUT
    assert (left.expected, left.detail) == (False, "it left")
    first = next(event for event in forgotten.events if isinstance(event, QrCode))
    await forgotten.launch()
    assert (await forgotten.next(QrCode)).code != first.code
    await forgotten.stop()


async def test_an_unreachable_server(stage: Stage) -> None:
    """The first connection fails at once; the host leaves so that the session may try again."""
    account = await stage.linked()
    await account.stop()
    await stage.sandbox.service_down()
    try:
        await account.launch()
        ended = await account.next(Ended)
        await account.next(Exited)
    finally:
        await stage.sandbox.service_up()

    assert ended.reason == "unreachable"
    await account.resume()
    await account.stop()
