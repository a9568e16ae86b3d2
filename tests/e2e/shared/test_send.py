"""A backend sends messages."""

import asyncio
from datetime import timedelta
from functools import partial

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    MessageHistory,
    MessageHistoryData,
    MessagePage,
    MessageReceived,
    ReplyTarget,
    SentInfo,
    SessionStop,
    TextContent,
    utc_now,
)
from gateway_worker.sandbox.service.faults import Faults, QueryRefusal, RefusalShape
from tests.e2e.harness import ErrorCode, Gateway
from tests.e2e.shared.conftest import Shop
from tests.support.spelled_numbers import spelled_number


async def test_a_text_arrives_on_the_phone(gateway: Gateway, shop: Shop) -> None:
    """Sent to a number with a plus; the phone shows text and id as announced."""
    ada = await gateway.sandbox.add_phone()

    sent = await gateway.send(shop.name, f"+{ada.number}", "Hello Ada 👋")

    message = await ada.next_message(timeout=30)
    assert (message.text, message.message_id) == ("Hello Ada 👋", sent.message_id)
    assert message.sender_number == shop.phone.number


async def test_a_reply_quotes_and_mentions(gateway: Gateway, name: str) -> None:
    """`reply_to` a message from the history needs only its id; mentions reach the phone."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    question = await ada.send_text(shop.number, "Are you open?")
    await gateway.backend.expect(MessageReceived, name)

    await gateway.send(
        name,
        ada.number,
        f"Yes @{ada.number}",
        reply_to=ReplyTarget(message_id=question),
        mentions=(f"+{ada.number}",),
    )

    message = await ada.next_message(timeout=30)
    assert message.quoted_id == question
    assert [mention.user for mention in message.mentions] == [ada.number]


def _says(words: str, event: MessageReceived) -> bool:
    content = event.data.content
    return isinstance(content, TextContent) and content.text == words


async def test_a_reply_quotes_the_message_of_its_own_chat(gateway: Gateway, name: str) -> None:
    """Customers' messages share an id: none sees another's words or name, however it is named."""
    shop = await gateway.sandbox.add_phone()
    ada, ben, cleo = [await gateway.sandbox.add_phone() for _ in range(3)]
    number = spelled_number("brazil", marked=False)
    bia = await gateway.sandbox.add_phone(number.known)
    await gateway.link(name, shop)
    gateway.sandbox.faults.set(shop.number, Faults(altered=3, alterations={"id": "SHARED"}))
    for phone, words in ((ada, "my card number"), (ben, "opening hours"), (bia, "bom dia")):
        await phone.send_text(shop.number, words)
        await gateway.backend.expect(MessageReceived, name, partial(_says, words))
    shared = ReplyTarget(message_id="SHARED")

    await gateway.send(name, ben.number, "From nine.", reply_to=shared)
    await gateway.send(name, f"{ben.jid.user}@lid", "To five.", reply_to=shared)
    await gateway.send(name, ada.number, "No need.", reply_to=shared)
    await gateway.send(name, f"+{number.other}", "Oi", reply_to=shared)
    refused = await gateway.fail(gateway.text(name, cleo.number, "Hello", reply_to=shared))

    for phone, words in (
        (ben, "opening hours"),
        (ben, "opening hours"),
        (ada, "my card number"),
        (bia, "bom dia"),
    ):
        message = await phone.next_message(timeout=30)
        assert words.encode() in message.raw
        assert phone.number.encode() in message.raw
    assert refused.data.error.code is ErrorCode.INVALID_COMMAND
    assert [fault.pointer for fault in refused.data.error.errors] == ["/data/reply_to/message_id"]
    assert len(cleo.inbox) == 0


async def test_a_reply_to_a_message_nobody_has_seen_is_refused(
    gateway: Gateway, shop: Shop
) -> None:
    """Without the message and without its writer there is nothing to quote."""
    ada = await gateway.sandbox.add_phone()

    failed = await gateway.fail(
        gateway.text(shop.name, ada.number, "Yes", reply_to=ReplyTarget(message_id="3EB0UNKNOWN"))
    )

    assert failed.data.error.code is ErrorCode.INVALID_COMMAND
    assert [fault.pointer for fault in failed.data.error.errors] == ["/data/reply_to/message_id"]


async def test_a_number_without_whatsapp_is_said_so(gateway: Gateway, shop: Shop) -> None:
    """The recipient is unknown to the server."""
    failed = await gateway.fail(gateway.text(shop.name, "+12025559999", "Hello?"))

    assert failed.data.error.code is ErrorCode.RECIPIENT_NOT_ON_WHATSAPP
    assert failed.data.error.retryable is False


async def test_a_number_in_its_other_spelling_finds_its_owner(gateway: Gateway, shop: Shop) -> None:
    """Brazil's ninth digit: the chat is the one that WhatsApp knows, and is found by either."""
    number = spelled_number("brazil", marked=False)
    known = await gateway.sandbox.add_phone(number.known)

    async def history() -> list[str]:
        page = await gateway.succeed(
            MessageHistory(
                source=gateway.backend.source,
                subject=shop.name,
                data=MessageHistoryData(chat=f"+{number.other}"),
            )
        )
        assert isinstance(page, MessagePage)
        return [message.message_id for message in page.messages]

    asked = await known.send_text(shop.phone.number, "Bom dia")
    await gateway.backend.expect(MessageReceived, shop.name, partial(_says, "Bom dia"))
    assert await history() == [asked], "before anybody has written to it"
    sent = await gateway.send(shop.name, f"+{number.other}", "Oi")

    assert sent.chat == f"{number.known}@s.whatsapp.net"
    assert (await known.next_message(timeout=30)).message_id == sent.message_id
    assert await history() == [sent.message_id, asked]


async def test_what_whatsapp_refuses_ends_with_its_code_and_holds_up_nothing(
    gateway: Gateway,
    name: str,
) -> None:
    """Too many queries say when to come again; a refusal for good is not tried again."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    gateway.sandbox.faults.set(
        shop.number,
        Faults(
            refused_queries=(
                QueryRefusal(query="encrypt/key", times=1),
                QueryRefusal(query="w:g2/query", status=403),
            )
        ),
    )

    limited = await gateway.fail(gateway.text(name, ada.number, "to nobody"))
    refused = gateway.text(name, "120363000000000001@g.us", "to a group that one is not in")
    await gateway.backend.publish(refused)
    await gateway.send(name, ada.number, "behind it")
    outcome = await gateway.backend.outcome(refused.id)

    assert limited.data.error.code is ErrorCode.RATE_LIMITED
    assert limited.data.error.retryable
    assert limited.data.error.retry_after_ms == 30_000
    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.UPSTREAM_REJECTED
    assert (limited.data.attempts, outcome.data.attempts) == (1, 1)
    assert (await ada.next_message(timeout=30)).text == "behind it"


async def test_what_passes_soon_is_tried_again(gateway: Gateway, name: str) -> None:
    """Stale keys, and keys that WhatsApp wants to be asked for a second later."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    soon = QueryRefusal(
        query="encrypt/key", times=1, about=ada.number, shape=RefusalShape.EACH, backoff_seconds=1
    )

    gateway.sandbox.faults.set(shop.number, Faults(refused_queries=(soon,)))
    first = await gateway.send(name, ada.number, "a second later")
    gateway.sandbox.faults.set(shop.number, Faults(error_acks=1, ack_error=479))
    second = await gateway.send(name, ada.number, "once more")
    gateway.sandbox.faults.set(shop.number, Faults(error_acks=2, ack_error=479))
    failed = await gateway.fail(gateway.text(name, ada.number, "not a third time"))

    assert (failed.data.error.code, failed.data.attempts) == (ErrorCode.ENCRYPTION_STALE, 2)
    arrived = [(await ada.next_message(timeout=30)).message_id for _ in range(2)]
    assert arrived == [first.message_id, second.message_id]


async def test_a_repeated_command_sends_once_and_gets_its_outcome_again(
    gateway: Gateway, shop: Shop
) -> None:
    """The same id a second time is answered from the inbox."""
    ada = await gateway.sandbox.add_phone()
    command = gateway.text(shop.name, ada.number, "only once")
    first = await gateway.succeed(command)
    assert isinstance(first, SentInfo)

    await gateway.backend.publish(command)
    again = await gateway.backend.expect(
        CommandSucceeded,
        shop.name,
        lambda event: event.correlationid == command.id and event.data.repeated,
    )
    await gateway.send(shop.name, ada.number, "the end")

    assert again.data.result == first
    texts = [(await ada.next_message(timeout=30)).text for _ in range(2)]
    assert texts == ["only once", "the end"]


async def test_commands_of_a_session_are_executed_in_order(gateway: Gateway, shop: Shop) -> None:
    """Published without waiting, they arrive in the order of publication."""
    ada = await gateway.sandbox.add_phone()
    commands = [gateway.text(shop.name, ada.number, f"{number}") for number in range(25)]

    for command in commands:
        await gateway.backend.publish(command)
    await asyncio.gather(*(gateway.backend.outcome(command.id) for command in commands))

    texts = [(await ada.next_message(timeout=30)).text for _ in commands]
    assert texts == [f"{number}" for number in range(25)]


async def test_an_expired_command_does_nothing(gateway: Gateway, shop: Shop) -> None:
    """Its deadline had passed: `expired`, and the phone stays silent."""
    ada = await gateway.sandbox.add_phone()
    late = gateway.text(shop.name, ada.number, "too late").model_copy(
        update={"expirytime": utc_now() - timedelta(seconds=1)}
    )

    failed = await gateway.fail(late)
    await gateway.send(shop.name, ada.number, "in time")

    assert failed.data.error.code is ErrorCode.EXPIRED
    assert (await ada.next_message(timeout=30)).text == "in time"


async def test_a_stopped_session_does_not_send(gateway: Gateway, name: str) -> None:
    """It says that it is not connected, and that a retry may help."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    await gateway.succeed(SessionStop(source=gateway.backend.source, subject=name))

    failed = await gateway.fail(gateway.text(name, ada.number, "Hello?"))

    assert failed.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    assert failed.data.error.retryable is True
