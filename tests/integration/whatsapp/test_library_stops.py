"""The library stops over a value that it does not know: its host leaves at once and says so."""

import asyncio

import pytest

from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import Ended, Exited
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.service.faults import Faults
from gateway_worker.sandbox.wire.jid import Jid
from gateway_worker.sandbox.wire.node import Node
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import InboundMessage
from tests.support.calls import send_text
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

LAST = 20


def receipt(sender: Phone, kind: str) -> Node:
    """Return a receipt of a customer's phone."""
    return Node("receipt", {"from": sender.jid, "id": "3EB0AAAA", "type": kind, "t": "1790000000"})


def endings(account: Account) -> list[Ended]:
    """Return what was told of ends so far."""
    return [event for event in account.events if isinstance(event, Ended)]


async def write_until_ended(account: Account, writer: Phone) -> list[str]:
    """Write until the end is told and some messages more; return the ids of these."""
    before, late = len(endings(account)), list[str]()
    while len(late) < LAST:
        message_id = await writer.send_text(account.phone.number, "still there?")
        if len(endings(account)) > before:
            late.append(message_id)
        await asyncio.sleep(0)
    return late


def confirmed(writer: Phone) -> set[str]:
    """Return what the hosts, and not the phones, of those it writes to have confirmed."""
    devices = [receipt for receipt in writer.receipts if receipt.sender.device]
    return {message_id for receipt in devices for message_id in receipt.message_ids}


@pytest.mark.parametrize("kind", ["server-error", "view", "enc_rekey_retry", "never-heard-of"])
async def test_what_comes_after_an_unknown_receipt_is_not_lost(stage: Stage, kind: str) -> None:
    """From the moment at which the end is told nothing more is confirmed to WhatsApp."""
    account = await stage.linked()
    ben = await stage.customer()
    await ben.send_text(account.phone.number, "first")
    await account.next(InboundMessage)

    stage.sandbox.connections.inject(account.phone.number, receipt(ben, kind))
    late = await write_until_ended(account, ben)
    ended, exited = await account.next(Ended), await account.next(Exited)
    await account.resume()
    await account.next(InboundMessage, lambda message: message.message_id == late[-1])

    assert (ended.reason, exited.detail) == ("library_stopped", "it left")
    assert "Receipt.Type" in ended.detail
    assert not set(late) - {message.message_id for message in account.messages()}
    await account.stop()


async def test_what_is_decrypted_while_an_answer_is_waited_for_comes_again(stage: Stage) -> None:
    """It was neither told nor confirmed, and its key is used up: the next host takes it back."""
    account = await stage.linked()
    ben = await stage.customer()
    await ben.send_text(account.phone.number, "first")
    await account.next(InboundMessage)
    stage.sandbox.faults.set(account.phone.number, Faults(ack_delay_seconds=0.12))

    sending = asyncio.create_task(account.host.request(send_text(to=ben.number, text="two")))
    await ben.inbox.wait_for(lambda message: message.text == "two", timeout=30)
    stage.sandbox.connections.inject(account.phone.number, receipt(ben, "server-error"))
    late = set[str]()
    while not endings(account):  # it is told when the answer has come
        late.add(await ben.send_text(account.phone.number, "still there?"))
        await asyncio.sleep(0)
    await account.next(Exited)
    await asyncio.gather(sending, return_exceptions=True)  # a slow machine may be cut off from it
    missing = late - confirmed(ben)
    assert missing
    await account.resume()

    await eventually(
        lambda: missing <= {message.message_id for message in account.messages()},
        timeout_seconds=30,
        reason="what was not confirmed has come",
    )
    await account.stop()


async def test_a_send_gets_its_answer_although_the_library_has_stopped(stage: Stage) -> None:
    """The way out is closed, the way in is not: what WhatsApp has taken is told as sent."""
    account = await stage.linked()
    ben = await stage.customer()
    await account.host.request(send_text(to=ben.number, text="first"))
    stage.sandbox.faults.set(account.phone.number, Faults(ack_delay_seconds=0.02))

    sending = asyncio.create_task(account.host.request(send_text(to=ben.number, text="two")))
    await ben.inbox.wait_for(lambda message: message.text == "two", timeout=30)
    stage.sandbox.connections.inject(account.phone.number, receipt(ben, "server-error"))
    sent = await sending

    assert (await account.next(Ended)).reason == "library_stopped"
    assert [message.message_id for message in ben.inbox][-1] == sent.message_id


@pytest.mark.parametrize(
    "stanza",
    [
        Node("chatstate", {"from": Jid("1", "lid")}, (Node("recording"),)),
        Node("chatstate", {"from": Jid("1", "lid")}, (Node("composing", {"media": "video"}),)),
        Node(
            "notification",
            {"from": Jid("1", "lid"), "id": "n1", "type": "account_sync", "t": "1790000000"},
            (Node("blocklist", {"action": "unheard", "dhash": "x"}),),
        ),
        Node(
            "notification",
            {"from": Jid("1-2", "g.us"), "id": "n2", "type": "w:gp2", "t": "1790000000"},
            (Node("link", {"link_type": "unheard"}),),
        ),
        Node("never-heard-of", {"from": Jid("1", "lid"), "id": "n3"}),
    ],
    ids=lambda node: f"{node.tag}-{node.get('type')}",
)
async def test_what_is_not_subscribed_does_no_harm(
    stage: Stage, shop: Account, stanza: Node
) -> None:
    """Values that the library has no name for, in events that nobody has asked for."""
    ben = await stage.customer()
    pid = shop.host.pid

    assert stage.sandbox.connections.inject(shop.phone.number, stanza) == 1
    message_id = await ben.send_text(shop.phone.number, "after it")
    await shop.next(InboundMessage, lambda message: message.message_id == message_id)

    assert (shop.host.pid, endings(shop)) == (pid, [])


async def test_what_comes_after_an_unknown_way_of_typing_is_not_lost(stage: Stage) -> None:
    """Typing is told to those only who have asked for it; for them it costs a new host."""
    account = await stage.linked(HostSettings(typing=True))
    ben = await stage.customer()
    await ben.send_text(account.phone.number, "first")
    await account.next(InboundMessage)

    recording = Node("chatstate", {"from": Jid("1", "lid")}, (Node("recording"),))
    stage.sandbox.connections.inject(account.phone.number, recording)
    late = await write_until_ended(account, ben)
    ended = await account.next(Ended)
    await account.next(Exited)
    await account.resume()
    await account.next(InboundMessage, lambda message: message.message_id == late[-1])

    assert ended.reason == "library_stopped"
    assert "ChatPresence.State" in ended.detail
    assert not set(late) - {message.message_id for message in account.messages()}
    await account.stop()


async def test_an_unknown_receipt_for_a_host_that_is_told_to_leave(stage: Stage) -> None:
    """It leaves all the same, and WhatsApp has nothing left that was confirmed and not told."""
    account = await stage.linked()
    ben = await stage.customer()
    stage.sandbox.connections.inject(account.phone.number, receipt(ben, "server-error"))
    await account.host.stop()
    await account.next(Exited)

    message_id = await ben.send_text(account.phone.number, "later")
    await account.resume()
    await account.next(InboundMessage, lambda message: message.message_id == message_id)
    await account.stop()
    await eventually(lambda: not stage.sandbox.connections.links(account.phone.number)[0].pending)
