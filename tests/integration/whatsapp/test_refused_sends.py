"""What WhatsApp refuses before, at and after a message, as the session sees it."""

from typing import get_args

import pytest

from gateway_worker.errors import (
    RateLimitedError,
    ReachoutRestrictedError,
    RecipientNotOnWhatsAppError,
    RetryableError,
    SessionNotConnectedError,
    StaleKeysError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.host_protocol.methods.session import Logout
from gateway_worker.host_protocol.signals import Up
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.service.faults import Faults, QueryRefusal, RefusalShape
from gateway_worker.whatsapp.convert.failures import RATE_LIMIT_SECONDS
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.calls import send_text
from tests.support.spelled_numbers import Country, spelled_number

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

KEYS = "encrypt/key"
RECIPIENT = "usync/lid"
DEVICES = "usync/message"
CONTACT = "usync/contact"


async def say(account: Account, to: Phone | str, text: str = "hello") -> Sent:
    """Send a text."""
    number = to if isinstance(to, str) else to.number
    return await account.host.request(send_text(to=number, text=text))


def refuse(stage: Stage, account: Account, *refusals: QueryRefusal) -> None:
    """Have queries of an account's companions refused."""
    stage.sandbox.faults.set(account.phone.number, Faults(refused_queries=refusals))


# An acknowledgement of a part.


async def test_nobody_gets_a_message_without_keys(stage: Stage, shop: Account) -> None:
    """The server takes it, no device of the recipient has it: too many queries, and when to ask."""
    ben = await stage.customer()
    refuse(stage, shop, QueryRefusal(query=KEYS, times=1))

    with pytest.raises(RateLimitedError) as caught:
        await say(shop, ben, "lost")
    await say(shop, ben, "found")

    assert caught.value.retry_after_seconds == RATE_LIMIT_SECONDS
    assert (await ben.next_message()).text == "found"


async def test_the_server_says_how_long_to_wait(stage: Stage, shop: Account) -> None:
    """Its time is the one that is told."""
    ben = await stage.customer()
    refusal = QueryRefusal(query=KEYS, times=1, shape=RefusalShape.EACH, backoff_seconds=7)
    refuse(stage, shop, refusal)

    with pytest.raises(RateLimitedError) as caught:
        await say(shop, ben)

    assert caught.value.retry_after_seconds == 7


@pytest.mark.parametrize("shape", [RefusalShape.WHOLE, RefusalShape.EACH])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, UpstreamRejectedError),
        (404, UpstreamRejectedError),
        (406, UpstreamRejectedError),
        (500, UpstreamTimeoutError),
        (503, UpstreamTimeoutError),
    ],
)
async def test_keys_that_are_refused(
    stage: Stage, shop: Account, shape: RefusalShape, status: int, error: type[Exception]
) -> None:
    """With the status behind it, whichever way that was told."""
    ben = await stage.customer()
    refuse(stage, shop, QueryRefusal(query=KEYS, times=1, status=status, shape=shape))

    with pytest.raises(error, match=str(status)):
        await say(shop, ben)

    assert len(ben.inbox) == 0


async def test_an_answer_that_leaves_the_recipient_out(stage: Stage, shop: Account) -> None:
    """No keys and no error are no success either."""
    ben = await stage.customer()
    refuse(stage, shop, QueryRefusal(query=KEYS, times=1, shape=RefusalShape.OMITTED))

    with pytest.raises((UpstreamRejectedError, UpstreamTimeoutError)):
        await say(shop, ben)

    assert len(ben.inbox) == 0


async def test_a_recipient_without_keys(stage: Stage, shop: Account) -> None:
    """Is refused for good: its phone has published none."""
    ben = await stage.customer()
    stage.sandbox.faults.set(ben.number, Faults(no_bundles=True), device=0)

    with pytest.raises(UpstreamRejectedError, match="404"):
        await say(shop, ben)


async def test_one_device_of_two_is_left_out(stage: Stage, shop: Account) -> None:
    """It is a success that says so."""
    ben = await stage.linked()
    stage.sandbox.faults.set(ben.phone.number, Faults(no_bundles=True))

    first = await say(shop, ben.phone)
    stage.sandbox.faults.clear(ben.phone.number)
    second = await say(shop, ben.phone)

    assert (first.devices_left_out, second.devices_left_out) == (1, 0)
    assert (await ben.phone.next_message()).message_id == first.message_id


async def test_a_device_that_the_library_has_not_heard_of(stage: Stage, shop: Account) -> None:
    """The server says that its list is another one; the next message goes there, too."""
    ben = await stage.linked()
    await say(shop, ben.phone)
    stage.sandbox.service.accounts.get(ben.phone.jid).watchers.clear()  # nobody is told
    second = await stage.account()
    second.phone = ben.phone
    await second.link()

    outdated, renewed = await say(shop, ben.phone), await say(shop, ben.phone)

    assert (outdated.devices_left_out, renewed.devices_left_out) == (1, 0)


async def test_an_account_that_has_ended(stage: Stage, shop: Account) -> None:
    """The library would go on writing to nobody; the server is asked whether it is still there."""
    ben = await stage.customer()
    lid = str(ben.jid)
    await say(shop, ben)
    await shop.stop()
    await shop.resume()
    stage.sandbox.faults.set(ben.number, Faults(unregistered=True), device=0)

    for written in (ben.number, lid):
        with pytest.raises(RecipientNotOnWhatsAppError):
            await say(shop, written)


async def test_the_own_phone_is_nobody_of_the_recipient(stage: Stage) -> None:
    """Whether it shows the message is another matter."""
    account, ben = await stage.linked(), await stage.customer()
    stage.sandbox.faults.set(account.phone.number, Faults(no_bundles=True), device=0)

    sent = await say(account, ben)

    assert sent.devices_left_out == 0
    assert (await ben.next_message()).message_id == sent.message_id


async def test_a_message_to_oneself(stage: Stage, shop: Account) -> None:
    """There the own phone is the recipient."""
    sent = await say(shop, shop.phone)

    assert sent.devices_left_out == 0


@pytest.mark.parametrize("shape", [RefusalShape.EACH, RefusalShape.OMITTED])
async def test_a_recipient_without_devices(
    stage: Stage, shop: Account, shape: RefusalShape
) -> None:
    """The library sends to the own devices alone and is content; nobody else has it."""
    ben = await stage.customer()
    refusal = QueryRefusal(query=DEVICES, times=1, shape=shape, about=ben.number)
    refuse(stage, shop, refusal)

    with pytest.raises(UpstreamTimeoutError) as caught:
        await say(shop, ben)
    sent = await say(shop, ben)

    assert caught.value.attempts is not None
    assert [message.message_id for message in ben.inbox] == [sent.message_id]


# The status decides, and where it was told.


@pytest.mark.parametrize("query", [RECIPIENT, DEVICES])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, UpstreamRejectedError),
        (401, UpstreamRejectedError),
        (403, UpstreamRejectedError),
        (404, UpstreamRejectedError),
        (405, UpstreamRejectedError),
        (406, UpstreamRejectedError),
        (410, UpstreamRejectedError),
        (429, RateLimitedError),
        (500, UpstreamTimeoutError),
        (501, UpstreamRejectedError),
        (503, UpstreamTimeoutError),
        (530, UpstreamTimeoutError),
    ],
)
async def test_look_ups_that_are_refused(
    stage: Stage, shop: Account, query: str, status: int, error: type[Exception]
) -> None:
    """Nothing was sent, so nothing is uncertain; the next send goes."""
    ben = await stage.customer()
    refuse(stage, shop, QueryRefusal(query=query, times=1, status=status))

    with pytest.raises(error, match=str(status)):
        await say(shop, ben)
    sent = await say(shop, ben)

    assert [message.message_id for message in ben.inbox] == [sent.message_id]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, UpstreamRejectedError),
        (404, UpstreamRejectedError),
        (406, UpstreamRejectedError),
        (429, RateLimitedError),
        (503, UpstreamTimeoutError),
    ],
)
async def test_groups_that_are_refused(
    stage: Stage, shop: Account, status: int, error: type[Exception]
) -> None:
    """One that the account is not in, or no longer, is a refusal for good."""
    refuse(stage, shop, QueryRefusal(query="w:g2/query", status=status))

    with pytest.raises(error, match=str(status)):
        await say(shop, "120363000000000001@g.us")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, UpstreamRejectedError),
        (403, UpstreamRejectedError),
        (404, UpstreamRejectedError),
        (406, UpstreamRejectedError),
        (420, UpstreamRejectedError),
        (429, RateLimitedError),
        (463, ReachoutRestrictedError),
        (475, UpstreamRejectedError),
        (479, StaleKeysError),
        (500, UpstreamTimeoutError),
        (503, UpstreamTimeoutError),
    ],
)
async def test_messages_that_are_refused(
    stage: Stage, shop: Account, status: int, error: type[Exception]
) -> None:
    """The server has seen it and says no: that is certain, too."""
    ben = await stage.customer()
    stage.sandbox.faults.set(shop.phone.number, Faults(error_acks=1, ack_error=status))

    with pytest.raises(error, match=str(status)) as caught:
        await say(shop, ben)

    assert isinstance(caught.value, RetryableError) is (error is not UpstreamRejectedError)


# A number that is written in two ways.


@pytest.mark.parametrize("country", get_args(Country))
@pytest.mark.parametrize("marked", [False, True], ids=["without", "with"])
async def test_a_number_in_its_other_spelling(
    stage: Stage, shop: Account, country: Country, *, marked: bool
) -> None:
    """The server is asked who has it, and the message goes to the id that it names."""
    number = spelled_number(country, marked=marked)
    ben = await stage.sandbox.add_phone(number.known)
    refuse(stage, shop, QueryRefusal(query=CONTACT, times=0))

    first = await say(shop, f"+{number.other}", "one")
    # The answer is remembered: there is nothing to ask any more.
    refuse(stage, shop, QueryRefusal(query="usync"))
    second = await say(shop, f"{number.other}@s.whatsapp.net", "two")

    assert {first.chat, second.chat} == {f"{number.known}@s.whatsapp.net"}
    assert [(await ben.next_message()).text for _ in range(2)] == ["one", "two"]


async def test_a_number_that_nobody_has(stage: Stage, shop: Account) -> None:
    """Only the server's word for it makes that final."""
    refuse(stage, shop)

    with pytest.raises(RecipientNotOnWhatsAppError):
        await say(shop, spelled_number("brazil", marked=True).known)


@pytest.mark.parametrize(
    "refusal",
    [
        QueryRefusal(query=CONTACT),
        QueryRefusal(query=CONTACT, status=503),
        QueryRefusal(query=CONTACT, shape=RefusalShape.EACH),
        QueryRefusal(query=CONTACT, shape=RefusalShape.OMITTED),
    ],
)
async def test_a_contact_query_that_is_refused(
    stage: Stage, shop: Account, refusal: QueryRefusal
) -> None:
    """Is no word of who has the number."""
    refuse(stage, shop, refusal)
    number = spelled_number("brazil", marked=False)
    await stage.sandbox.add_phone(number.known)

    with pytest.raises((RateLimitedError, UpstreamTimeoutError)):
        await say(shop, number.other)


@pytest.mark.parametrize("shape", [RefusalShape.EACH, RefusalShape.OMITTED])
async def test_a_look_up_that_is_refused_in_part(
    stage: Stage, shop: Account, shape: RefusalShape
) -> None:
    """A recipient without an answer is asked for once more, and not taken for nobody."""
    ben = await stage.customer()
    refuse(stage, shop, QueryRefusal(query=RECIPIENT, times=1, shape=shape))

    sent = await say(shop, ben)

    assert (await ben.next_message()).message_id == sent.message_id
    assert sent.chat == f"{ben.number}@s.whatsapp.net"


@pytest.mark.parametrize("form", ["+{}", "{}@c.us", "{}:3@s.whatsapp.net", "{}.0:3@c.us"])
async def test_forms_of_one_number(stage: Stage, shop: Account, form: str) -> None:
    """With a sign, the old server or a device it is the same person."""
    ben = await stage.customer()
    refuse(stage, shop)

    sent = await say(shop, form.format(ben.number))

    assert sent.chat == f"{ben.number}@s.whatsapp.net"
    assert (await ben.next_message()).message_id == sent.message_id


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, UpstreamRejectedError), (429, RateLimitedError), (503, UpstreamTimeoutError)],
)
async def test_a_logout_that_is_refused(
    stage: Stage, shop: Account, status: int, error: type[Exception]
) -> None:
    """With its status, too; the session is as it was."""
    ben = await stage.customer()
    refuse(stage, shop, QueryRefusal(query="md/remove-companion-device", status=status))

    with pytest.raises(error, match=str(status)):
        await shop.host.request(Logout())

    await say(shop, ben)


async def test_without_a_connection_nothing_is_sent(stage: Stage, shop: Account) -> None:
    """A query that the connection took along, or that has none, is no uncertain message."""
    ben = await stage.customer()
    refuse(stage, shop)
    await stage.sandbox.service_down()
    try:
        with pytest.raises((SessionNotConnectedError, UpstreamTimeoutError)):
            await say(shop, ben)
    finally:
        await stage.sandbox.service_up()


@pytest.mark.parametrize("query", [RECIPIENT, DEVICES])
async def test_a_look_up_that_is_never_answered(stage: Stage, query: str) -> None:
    """Nothing was sent and never will be; what comes next does not wait for it."""
    account, ben = await stage.account(), await stage.customer()
    async with HostProcesses(settings_for(stage.sandbox, send_timeout_seconds=2)) as processes:
        account.processes = processes
        await account.link()
        refuse(stage, account, QueryRefusal(query=query, shape=RefusalShape.SILENT, times=1))

        with pytest.raises(UpstreamTimeoutError):
            await say(account, ben, "never")
        sent = await eventually_sent(account, ben)

        assert [message.message_id for message in ben.inbox] == [sent.message_id]


async def eventually_sent(account: Account, to: Phone) -> Sent:
    """Send as soon as the connection, which was cut, is there again."""
    while True:
        try:
            return await say(account, to, "now")
        except (SessionNotConnectedError, UpstreamTimeoutError):
            await account.next(Up)
