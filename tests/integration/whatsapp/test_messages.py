"""Messages and receipts in both directions, as the session sees them."""

import asyncio

import pytest

from gateway_contracts import ReceiptStatus, TextContent, UndecryptableReason
from gateway_worker.errors import (
    InvalidCommandError,
    RecipientNotOnWhatsAppError,
    SessionNotConnectedError,
    UncertainError,
    UpstreamRejectedError,
)
from gateway_worker.host_protocol.methods.messages import FindChats, Quote
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.service.faults import Faults
from gateway_worker.sandbox.wire.node import Attrs, Node
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.arrivals import InboundMessage, InboundReceipt, UndecryptableMessage
from tests.support.calls import send_text
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def went_out(account: Account, to: Phone, text: str) -> bool:
    """Send a text; False if that was not possible yet and nothing was sent."""
    try:
        await account.host.request(send_text(to=to.number, text=text))
    except SessionNotConnectedError:
        return False
    return True


def jid_of(phone: Phone) -> str:
    """Return a phone's phone-number JID."""
    return f"{phone.number}@s.whatsapp.net"


async def test_a_text_is_sent_delivered_and_read(stage: Stage, shop: Account) -> None:
    """The answer names message and chat, the receipts name the person by number."""
    ben = await stage.customer()

    sent = await shop.host.request(send_text(to=f"+{ben.number}", text="hello Ben"))

    message = await ben.next_message()
    assert (message.message_id, message.text) == (sent.message_id, "hello Ben")
    assert sent.chat == jid_of(ben)
    delivered = await shop.next(
        InboundReceipt, lambda receipt: receipt.message_id == sent.message_id
    )
    await ben.read(message)
    read = await shop.next(InboundReceipt, lambda receipt: receipt.status is ReceiptStatus.READ)
    assert delivered.status is ReceiptStatus.DELIVERED
    for receipt in (delivered, read):
        assert receipt.message_id == sent.message_id
        assert receipt.chat == jid_of(ben)
        assert receipt.participant.jid == jid_of(ben)
        assert receipt.participant.lid == str(ben.jid)
        assert receipt.participant.phone_number == f"+{ben.number}"


async def test_a_text_arrives(stage: Stage, shop: Account) -> None:
    """The sender has number, LID and name; the chat goes by number."""
    ben = await stage.customer("Ben")

    message_id = await ben.send_text(shop.phone.number, "hello shop")

    message = await shop.next(InboundMessage, lambda one: one.message_id == message_id)
    assert message.content == TextContent(text="hello shop")
    assert (message.chat, message.from_me, message.is_group) == (jid_of(ben), False, False)
    assert not message.offline
    sender = message.sender
    assert (sender.jid, sender.lid) == (jid_of(ben), str(ben.jid))
    assert (sender.phone_number, sender.push_name) == (f"+{ben.number}", "Ben")


async def test_a_reply_with_mentions_both_ways(stage: Stage, shop: Account) -> None:
    """Who is quoted and who is mentioned survives, by number."""
    ben, carl = await stage.customer(), await stage.customer("Carl")
    question = await shop.host.request(send_text(to=ben.number, text="who comes?"))
    asked = await ben.next_message()

    await ben.send_text(
        shop.phone.number, f"@{carl.number} does", reply_to=asked, mentions=[carl.number]
    )

    reply = await shop.next(InboundMessage, lambda one: one.quoted_id == question.message_id)
    assert isinstance(reply.content, TextContent)
    assert len(reply.content.mentions) == 1
    assert reply.quoted_participant == jid_of(shop.phone)
    sent = await shop.host.request(
        send_text(
            to=ben.number,
            text=f"then @{carl.number}",
            mentions=(carl.number,),
            quoted=Quote(
                message_id=reply.message_id,
                participant=reply.sender.jid,
                content={"kind": "text", "text": "does"},
            ),
        )
    )
    answer = await ben.inbox.wait_for(
        lambda message: message.message_id == sent.message_id, timeout=10
    )
    assert answer.quoted_id == reply.message_id
    assert [one.user for one in answer.mentions] == [carl.number]


async def test_what_the_owner_writes_on_the_phone(stage: Stage, shop: Account) -> None:
    """It is shown in the recipient's chat, as written by the account."""
    ben = await stage.customer()

    message_id = await shop.phone.send_text(ben.number, "from my phone")

    message = await shop.next(InboundMessage, lambda one: one.message_id == message_id)
    assert (message.from_me, message.chat) == (True, jid_of(ben))
    assert message.sender.jid == jid_of(shop.phone)
    assert message.content == TextContent(text="from my phone")


async def test_what_is_about_a_message_is_announced(stage: Stage, shop: Account) -> None:
    """A reaction and a revocation, in order."""
    ben = await stage.customer()
    message_id = await ben.send_text(shop.phone.number, "oops")
    await shop.next(InboundMessage, lambda one: one.message_id == message_id)

    await ben.react(message_id, "\N{OK HAND SIGN}")
    await ben.revoke(message_id)

    contents = [(await shop.next(InboundMessage)).content for _ in range(2)]
    assert [one.model_dump()["target"]["message_id"] for one in contents] == [message_id] * 2
    assert [one.kind for one in contents] == ["reaction", "revoke"]


async def test_what_is_kept_from_linked_devices(stage: Stage, shop: Account) -> None:
    """What may be viewed once is on the phone only; that it was there is told."""
    ben = await stage.customer()
    attrs: Attrs = {"from": ben.jid, "id": "3EB0C0FFEE", "type": "media"}
    placeholder = Node("message", attrs, (Node("unavailable", {"type": "view_once"}),))

    assert stage.sandbox.connections.push(shop.phone.number, placeholder) == 1

    word = await shop.next(UndecryptableMessage, lambda one: one.message_id == "3EB0C0FFEE")
    assert word.reason is UndecryptableReason.VIEW_ONCE
    assert word.chat in {jid_of(ben), str(ben.jid)}


async def test_a_recipient_that_is_not_on_whatsapp(shop: Account) -> None:
    """It is said so, and nothing was sent."""
    with pytest.raises(RecipientNotOnWhatsAppError) as caught:
        await shop.host.request(send_text(to="4915559999999", text="anybody?"))

    assert "4915559999999" not in caught.value.detail


@pytest.mark.parametrize("to", ["nobody", "1@example.com"])
async def test_a_recipient_that_is_none(shop: Account, to: str) -> None:
    """It is refused before the library is asked."""
    with pytest.raises(InvalidCommandError):
        await shop.host.request(send_text(to=to, text="x"))


async def test_text_that_is_no_text(shop: Account) -> None:
    """Half a character is the caller's fault, and the host goes on."""
    with pytest.raises(InvalidCommandError):
        await shop.host.request(send_text(to=shop.phone.number, text="\ud800"))


async def test_a_send_that_the_server_refuses(stage: Stage, shop: Account) -> None:
    """With the server's code."""
    ben = await stage.customer()
    stage.sandbox.faults.set(shop.phone.number, Faults(error_acks=1, ack_error=475))

    with pytest.raises(UpstreamRejectedError, match="475"):
        await shop.host.request(send_text(to=ben.number, text="x"))


async def test_many_sends_at_once_keep_their_order(stage: Stage, shop: Account) -> None:
    """One after the other, as they were asked for."""
    ben = await stage.customer()

    sent = await asyncio.gather(
        *(shop.host.request(send_text(to=ben.number, text=str(n))) for n in range(30))
    )

    await ben.inbox.wait_for(lambda message: message.text == "29", timeout=30)
    assert [message.message_id for message in ben.inbox] == [one.message_id for one in sent]


async def test_a_missing_acknowledgement(stage: Stage) -> None:
    """The send is uncertain after the time that was set, its id is known; the next one works."""
    ben = await stage.customer()
    settings = settings_for(stage.sandbox, send_timeout_seconds=3)
    async with HostProcesses(settings) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        await account.host.request(send_text(to=ben.number, text="first"))
        stage.sandbox.faults.set(account.phone.number, Faults(missing_acks=1_000))

        with pytest.raises(UncertainError) as caught:
            await account.host.request(send_text(to=ben.number, text="second"), command_id="c")
        second = await ben.inbox.wait_for(lambda message: message.text == "second", timeout=30)
        assert caught.value.message_id == second.message_id

        stage.sandbox.faults.clear(account.phone.number)
        await eventually(lambda: went_out(account, ben, "third"), timeout_seconds=30)
        await ben.inbox.wait_for(lambda message: message.text == "third", timeout=30)
        assert (await account.stop()).expected


async def test_the_ids_of_a_chat_are_told_without_asking(stage: Stage, shop: Account) -> None:
    """WhatsApp is asked about somebody who is not known only if that is wanted."""
    ben = await stage.customer()
    chat = f"{ben.number}@s.whatsapp.net"
    unknown = await shop.host.request(FindChats(to=ben.number, asks=False))
    sent = await shop.host.request(send_text(to=ben.number, text="hello"))
    known = await shop.host.request(FindChats(to=ben.number, asks=False))

    assert unknown.chats == (chat,)
    assert set(known.chats) == {chat, sent.chat_lid}
    assert sent.chat_lid == f"{ben.jid.user}@lid"
