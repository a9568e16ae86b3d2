"""Status posts of the real library: who sees them, and what is known of their devices."""

import pytest

from gateway_worker.host_protocol.methods.status import Audience, PostStatus, PrepareAudience
from gateway_worker.host_protocol.settings import HostSettings
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import InboundMessage, InboundReceipt

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

STATUS = "status@broadcast"


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

    assert first == Audience(setting="selected", recipients=2, prepared=1)
    assert second == Audience(setting="selected", recipients=2, prepared=2)
    assert late.recipients == late.prepared == 0


async def test_contacts_that_the_phone_has_not_told(stage: Stage) -> None:
    """Nobody, as long as no names have come: that is what the library takes."""
    account = await stage.linked()

    assert await looked_up(account) == Audience(setting="contacts", recipients=0, prepared=0)


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
