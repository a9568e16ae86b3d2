"""Two simulated phones on a real service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.phones.errors import (
    InvalidQrError,
    NothingHappenedError,
    NothingToEnterError,
    UnknownDeviceError,
    UnknownMessageError,
    UnknownRecipientError,
    WrongCodeError,
)
from gateway_worker.sandbox.phones.outgoing import peer_of
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.scripts import auto_read, auto_reply
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.service.errors import AccountExistsError, PairingRefusedError
from gateway_worker.sandbox.wire.jid import Jid

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.values import ChatMessage
    from gateway_worker.sandbox.service.service import Service

Pair = tuple[Phone, Phone]


async def test_a_text_arrives_and_is_confirmed(phones: Pair) -> None:
    """The receiver has text and sender, the sender gets delivered, read and played."""
    anna, ben = phones

    message_id = await anna.send_text(ben.number, "hello Ben")

    message = await ben.next_message()
    assert (message.message_id, message.text, message.kind) == (message_id, "hello Ben", "text")
    assert (message.sender, message.sender_number) == (anna.jid, anna.number)
    assert (message.chat, message.from_me) == (anna.jid, False)
    seen = await anna.wait_for_receipt(message_id, ReceiptKind.DELIVERED)
    assert seen.sender == ben.jid
    await ben.read(message)
    await anna.wait_for_receipt(message_id, ReceiptKind.READ)
    await ben.play(message_id)
    await anna.wait_for_receipt(message_id, ReceiptKind.PLAYED)


async def test_a_reply_names_and_quotes(phones: Pair) -> None:
    """Quote and mentions reach the other side."""
    anna, ben = phones
    question_id = await anna.send_text(ben.jid, "who comes?")
    question = await ben.next_message()

    await ben.send_text(
        question.chat, f"@{anna.number} does", reply_to=question, mentions=[anna.number]
    )

    reply = await anna.next_message()
    assert reply.quoted_id == question_id
    assert reply.mentions == (anna.jid,)
    own = await anna.own_messages.next(timeout=1)
    assert (own.message_id, own.from_me, own.text) == (question_id, True, "who comes?")


async def test_reaction_edit_and_revocation_name_their_target(phones: Pair) -> None:
    """The three later changes to a message arrive as what they are."""
    anna, ben = phones
    message_id = await anna.send_text(ben.number, "helo")
    message = await ben.next_message()

    await ben.react(message, "\N{THUMBS UP SIGN}")
    await anna.edit(message_id, "hello")
    await anna.revoke(message_id)

    reaction = await anna.next_message()
    assert (reaction.kind, reaction.target_id) == ("reaction", message_id)
    assert reaction.text == "\N{THUMBS UP SIGN}"
    edit, revocation = await ben.next_message(), await ben.next_message()
    assert (edit.kind, edit.target_id, edit.text) == ("edit", message_id, "hello")
    assert (revocation.kind, revocation.target_id) == ("revoke", message_id)


async def test_many_messages_both_ways_keep_their_order(phones: Pair) -> None:
    """Calls that run at the same time leave in the order in which they were made."""
    anna, ben = phones
    texts = [str(number) for number in range(300)]

    async with asyncio.TaskGroup() as calls:
        for text in texts:
            calls.create_task(anna.send_text(ben.number, text))
            calls.create_task(ben.send_text(anna.number, text))

    assert [(await ben.next_message()).text for _ in texts] == texts
    assert [(await anna.next_message()).text for _ in texts] == texts
    assert len(anna.inbox) == len(ben.inbox) == len(texts)


async def test_a_lost_session_is_healed_by_a_retry(phones: Pair) -> None:
    """The receiver cannot read, asks again, and gets the message in a new session."""
    anna, ben = phones
    await anna.send_text(ben.number, "one")
    assert (await ben.next_message()).asked_again == 0
    await ben.send_text(anna.number, "two")
    await anna.next_message()
    ben._book.forget(peer_of(anna.jid))

    message_id = await anna.send_text(ben.number, "three")

    message = await ben.next_message()
    assert (message.message_id, message.text) == (message_id, "three")
    assert message.asked_again == 1
    await anna.wait_for_receipt(message_id, ReceiptKind.RETRY)
    await anna.wait_for_receipt(message_id, ReceiptKind.DELIVERED)
    await ben.send_text(anna.number, "four")
    assert (await anna.next_message()).text == "four"


async def test_what_comes_while_the_phone_is_off_waits(service: Service, phones: Pair) -> None:
    """Switched on again, it gets everything in order."""
    anna, ben = phones
    service.accounts.get(ben.jid).switch_off()
    for text in ("one", "two"):
        await anna.send_text(ben.number, text)
    assert len(ben.inbox) == 0

    service.accounts.get(ben.jid).switch_on(ben)

    assert [(await ben.next_message()).text for _ in range(2)] == ["one", "two"]


async def test_a_blocked_contact_reaches_nobody(phones: Pair) -> None:
    """Blocking is silent for the sender; unblocking lets later messages through."""
    anna, ben = phones
    ben.block(anna.number)
    await anna.send_text(ben.number, "are you there?")
    ben.unblock(anna.jid)
    await anna.send_text(ben.number, "at last")

    assert (await ben.next_message()).text == "at last"


async def test_scripts_read_and_answer(phones: Pair) -> None:
    """A phone can be left alone; a script that was taken off no longer runs."""
    anna, ben = phones
    ben.on_message(auto_read())
    remove = ben.on_message(
        auto_reply(lambda message: f"you said {message.text}", quote=True, after_seconds=0.01)
    )

    message_id = await anna.send_text(ben.number, "hi")

    reply = await anna.next_message()
    assert (reply.text, reply.quoted_id) == ("you said hi", message_id)
    await anna.wait_for_receipt(message_id, ReceiptKind.READ)
    remove()
    second_id = await anna.send_text(ben.number, "again")
    await anna.wait_for_receipt(second_id, ReceiptKind.READ)
    assert len(anna.inbox) == 1


async def test_a_failing_script_is_recorded_and_the_phone_goes_on(service: Service) -> None:
    """The user's mistake is visible and stops nothing."""

    async def broken(_phone: Phone, _message: ChatMessage) -> None:
        raise LookupError("a mistake in the script")

    async with (
        Phone.open(service=service, number="1", push_name="") as anna,
        Phone.open(service=service, number="2", push_name="") as ben,
    ):
        ben.on_message(broken)
        ben.on_message(auto_read())
        message_id = await anna.send_text(ben.number, "hi")
        await anna.wait_for_receipt(message_id, ReceiptKind.READ)
        problem = await ben.handling_errors.next(timeout=1)

        assert (problem.where, str(problem.error)) == ("script", "a mistake in the script")


async def test_one_time_keys_are_published_again(service: Service, phones: Pair) -> None:
    """A phone that runs low publishes more by itself."""
    anna, ben = phones
    while service.keys.prekey_count(ben.jid) > 1:
        service.keys.fetch([ben.jid])

    await anna.send_text(ben.number, "hi")
    await ben.next_message()
    await anna.wait_for_receipt(
        (await anna.own_messages.next(timeout=1)).message_id, ReceiptKind.DELIVERED
    )

    assert service.keys.prekey_count(ben.jid) >= 100


async def test_mistakes_get_clear_errors(service: Service, phones: Pair) -> None:
    """Whoever scripts a phone wrongly is told what is wrong."""
    anna, ben = phones

    with pytest.raises(UnknownRecipientError):
        await anna.send_text("999", "hello?")
    with pytest.raises(UnknownRecipientError):
        await anna.send_text(ben.number, "hello", mentions=["999"])
    with pytest.raises(UnknownMessageError):
        await anna.send_text(ben.number, "hello", reply_to="no such id")
    with pytest.raises(UnknownMessageError):
        await anna.read("no such id")
    with pytest.raises(UnknownRecipientError):
        anna.block("999")
    for device in (0, 7, Jid("1", "lid", 3)):
        with pytest.raises(UnknownDeviceError):
            anna.unlink(device)
    with pytest.raises(AccountExistsError):
        async with Phone.open(service=service, number=anna.number):
            pass
    with pytest.raises(NothingHappenedError, match=r"no message within 0\.01 s"):
        await anna.next_message(timeout=0.01)
    assert len(ben.inbox) == 0


KEY = "A" * 43 + "="


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "at least 4 fields"),
        ("https://example.com", "at least 4 fields"),
        (f"ref,{KEY},{KEY},***", "not base64"),
        (f"ref,{KEY},AAAA,{KEY}", "has 3 bytes"),
        (f",{KEY},{KEY},{KEY}", "ref field is empty"),
    ],
)
async def test_a_text_that_is_no_qr_is_refused(phones: Pair, text: str, reason: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(InvalidQrError, match=reason):
        await phones[0].scan(text)


async def test_an_offer_that_nobody_makes_is_refused(phones: Pair) -> None:
    """A well-formed QR whose ref the server does not know."""
    with pytest.raises(PairingRefusedError):
        await phones[0].scan(f"https://wa.me/settings/linked_devices#ref,{KEY},{KEY},{KEY},1")


async def test_a_code_needs_a_companion_and_eight_characters(phones: Pair) -> None:
    """Typing at the wrong moment or the wrong thing."""
    with pytest.raises(WrongCodeError):
        await phones[0].enter_code("1234")
    with pytest.raises(NothingToEnterError):
        await phones[0].enter_code("ABCD-EFGH", timeout=0.01)
