"""Status posts of the real library: who sees them, and what is known of their devices."""

import pytest

from gateway_worker.errors import RateLimitedError, UpstreamTimeoutError
from gateway_worker.host_protocol.methods.status import (
    Audience,
    PostStatus,
    PrepareAudience,
    Reach,
)
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.sandbox.service.faults import Faults, QueryRefusal, RefusalShape
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import InboundMessage, InboundReceipt

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

STATUS = "status@broadcast"
KEYS = "encrypt/key"
DEVICES = "usync/message"


def posting(text: str, found: Audience | None = None) -> PostStatus:
    """Post a text to those whom a look-up has found, or who are to be looked up then."""
    return PostStatus(
        to=STATUS,
        content={"kind": "text", "text": text},
        reach=Reach() if found is None else found.reach,
    )


def refuse(stage: Stage, account: Account, *refusals: QueryRefusal) -> None:
    """Have queries of an account's companions refused."""
    stage.sandbox.faults.set(account.phone.number, Faults(refused_queries=refusals))


async def looked_up(account: Account, *, begin: int = 0, count: int = 100) -> Audience:
    """Have the devices of some who see the posts looked up."""
    return await account.host.request(PrepareAudience(begin=begin, count=count))


async def test_who_sees_the_posts_is_looked_up_in_parts(stage: Stage) -> None:
    """From where the last part has ended; a new host begins anew."""
    account = await stage.linked()
    ben, eve = await stage.customer(), await stage.customer("Eve")
    account.phone.show_status_to([ben.number, eve.number])

    first = await looked_up(account, count=1)
    second = await looked_up(account, begin=1, count=1)
    await account.stop()
    await account.resume()
    late = await looked_up(account, begin=1, count=1)

    by = first.reach.looked_up_by
    assert [first, second] == [
        Audience(
            setting="selected",
            recipients=2,
            prepared=count,
            reach=Reach(devices=1, looked_up_by=by),
        )
        for count in (1, 2)
    ]
    assert late.recipients == late.prepared == 0
    assert late.reach.looked_up_by != by


async def test_contacts_that_the_phone_has_not_told(stage: Stage) -> None:
    """Nobody, as long as no names have come: that is what the library takes."""
    account = await stage.linked()

    found = await looked_up(account)

    assert (found.setting, found.recipients, found.prepared) == ("contacts", 0, 0)


@pytest.mark.parametrize("shape", [RefusalShape.EACH, RefusalShape.OMITTED])
@pytest.mark.parametrize("is_looked_up", [True, False])
async def test_nobody_whose_devices_are_known(
    stage: Stage, shape: RefusalShape, *, is_looked_up: bool
) -> None:
    """Is no success, though the library would take a post to nobody for one."""
    account, ben = await stage.linked(), await stage.customer()
    account.phone.show_status_to([ben.number])
    refuse(stage, account, QueryRefusal(query=DEVICES, status=403, shape=shape))
    found = await looked_up(account) if is_looked_up else None

    with pytest.raises(UpstreamTimeoutError, match="no device"):
        await account.host.request(posting("lost", found))
    stage.sandbox.faults.clear(account.phone.number)
    sent = await account.host.request(posting("found", found))

    assert sent.devices_left_out == 0
    assert (await ben.next_message(timeout=30)).text == "found"


async def test_somebody_whose_devices_are_not_known(stage: Stage) -> None:
    """Is counted among those who are left out; the others see it."""
    account, ben, eve = await stage.linked(), await stage.customer(), await stage.customer("Eve")
    account.phone.show_status_to([ben.number])
    await account.host.request(posting("one"))
    account.phone.show_status_to([ben.number, eve.number])
    refusal = QueryRefusal(query=DEVICES, status=403, shape=RefusalShape.EACH)
    refuse(stage, account, refusal)

    found = await looked_up(account)
    sent = await account.host.request(posting("two", found))

    assert (found.recipients, found.reach.devices) == (2, 1)
    assert found.reach.without_devices == (str(eve.jid),)
    assert sent.devices_left_out == 1
    assert [(await ben.next_message(timeout=30)).text for _ in range(2)] == ["one", "two"]
    assert len(eve.inbox) == 0


async def test_nobody_who_can_be_encrypted_for(stage: Stage) -> None:
    """Is no success either: it fails as the query for their keys did."""
    account, ben = await stage.linked(), await stage.customer()
    account.phone.show_status_to([ben.number])
    refuse(stage, account, QueryRefusal(query=KEYS, times=1))

    with pytest.raises(RateLimitedError):
        await account.host.request(posting("lost"))

    assert len(ben.inbox) == 0


async def test_a_post_and_who_has_seen_it(stage: Stage) -> None:
    """It goes out in one piece, and its receipts name the post."""
    account, ben = await stage.linked(), await stage.customer()
    account.phone.show_status_to([ben.number])
    content = {"kind": "text", "text": "open", "background": "#075E54", "font": "script"}

    sent = await account.host.request(PostStatus(to=STATUS, content=content))
    seen = await ben.next_message(timeout=30)
    await ben.read(seen)

    assert (sent.chat, sent.devices_left_out) == (STATUS, 0)
    assert (seen.message_id, seen.text) == (sent.message_id, "open")
    receipt = await account.next(InboundReceipt, lambda one: one.status == "read")
    assert (receipt.chat, receipt.message_id) == (STATUS, sent.message_id)
    assert receipt.participant.lid == str(ben.jid)  # the setting names people by that


async def test_what_a_contact_posts(stage: Stage, shop: Account) -> None:
    """It is told of status, with who has posted it."""
    ben = await stage.customer()
    ben.show_status_to([shop.phone.number])
    await shop.configure(HostSettings(ignored=()))

    post_id = await ben.send_text(STATUS, "at sea")

    told = await shop.next(InboundMessage, lambda one: one.message_id == post_id)
    await shop.configure(HostSettings())
    assert (told.chat, told.is_group) == (STATUS, False)
    assert told.sender.phone_number == f"+{ben.number}"
