"""A lazy phone that nobody watches acknowledges messages, and reads them when somebody looks."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.phones.outgoing import peer_of
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.scripts import auto_read
from gateway_worker.sandbox.phones.values import ReceiptKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway_worker.sandbox.service.service import Service

Pair = tuple[Phone, Phone]


@pytest.fixture
async def lazy_pair(service: Service) -> AsyncIterator[Pair]:
    """Switch two lazy phones on; afterwards nothing must have gone wrong on them."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(Phone.open(service=service, number=number, lazy=True))
            for number in ("1", "2")
        ]
        yield opened[0], opened[1]
        for phone in opened:
            assert list(phone.handling_errors) == []


async def delivered(writer: Phone, message_id: str) -> None:
    """Wait until the writer knows that a message is acknowledged."""
    await writer.wait_for_receipt(message_id, ReceiptKind.DELIVERED)


async def test_messages_are_acknowledged_at_once_and_read_later(lazy_pair: Pair) -> None:
    """In their order, once, with one receipt each."""
    anna, ben = lazy_pair
    ids = [await anna.send_text(ben.number, str(number)) for number in range(5)]
    await delivered(anna, ids[-1])
    assert not ben._book.has_session(peer_of(anna.jid)), "nothing is decrypted yet"

    assert [message.message_id for message in ben.inbox] == ids
    assert [message.text for message in ben.inbox] == ["0", "1", "2", "3", "4"]
    ids.append(await anna.send_text(ben.number, "5"))
    await delivered(anna, ids[-1])
    assert [seen.message_ids for seen in anna.receipts] == [(one,) for one in ids]


async def test_a_phone_that_is_watched_reads_as_it_comes(lazy_pair: Pair) -> None:
    """By somebody who waits, or by a script, which is not run for what came before it."""
    anna, ben = lazy_pair
    first = await anna.send_text(ben.number, "before")
    await delivered(anna, first)
    ben.on_message(auto_read())

    second = await anna.send_text(ben.number, "hi")

    seen = await anna.wait_for_receipt(second, ReceiptKind.READ)
    assert seen.message_ids == (second,)
    assert [message.text for message in ben.inbox] == ["before", "hi"]


async def test_what_it_cannot_read_is_asked_for_when_somebody_looks(lazy_pair: Pair) -> None:
    """The session was lost; the message comes in a new one."""
    anna, ben = lazy_pair
    await anna.send_text(ben.number, "one")
    await ben.next_message()
    await ben.send_text(anna.number, "two")
    await anna.next_message()
    ben._book.forget(peer_of(anna.jid))
    message_id = await anna.send_text(ben.number, "three")
    await delivered(anna, message_id)

    message = await ben.next_message()

    assert (message.message_id, message.text, message.asked_again) == (message_id, "three", 1)
    await anna.wait_for_receipt(message_id, ReceiptKind.RETRY)


async def test_it_reads_before_it_writes(lazy_pair: Pair) -> None:
    """So that it answers in the session that the other has opened."""
    anna, ben = lazy_pair
    message_id = await anna.send_text(ben.number, "hello")
    await delivered(anna, message_id)

    await ben.send_text(anna.number, "hello back", reply_to=message_id)

    answer = await anna.next_message()
    assert (answer.text, answer.quoted_id) == ("hello back", message_id)


async def test_a_group_is_read_later_as_well(lazy_pair: Pair) -> None:
    """Each message is acknowledged to its writer when it comes, and its key kept for later."""
    anna, ben = lazy_pair
    group = anna.groups.create("Club", [ben.number]).jid
    ids = [await anna.send_text(group, str(number)) for number in range(3)]
    await delivered(anna, ids[-1])
    assert not ben._book.has_session(peer_of(anna.jid)), "nothing is decrypted yet"

    assert [message.text for message in ben.inbox] == ["0", "1", "2"]
    assert {message.chat for message in ben.inbox} == {group}
    assert [seen.message_ids for seen in anna.receipts] == [(one,) for one in ids]
