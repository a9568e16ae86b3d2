"""What a phone has seen and written; each page can wait for news."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.control.views import handling_error_view, message_view, receipt_view
from gateway_worker.sandbox.phones.event_log import EventLog
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.values import ChatMessage

EntryT = TypeVar("EntryT")


async def inbox(phone: Phone, query: models.Poll) -> models.MessagePage:
    """Return messages from others, from a position on; their files have been downloaded."""
    items, position = await _news(phone.inbox, query)
    await _download(phone, items)
    return models.MessagePage(items=tuple(map(message_view, items)), next=position)


async def own_messages(phone: Phone, query: models.Poll) -> models.MessagePage:
    """Return messages of the account itself, from a position on."""
    items, position = await _news(phone.own_messages, query)
    await _download(phone, items)
    return models.MessagePage(items=tuple(map(message_view, items)), next=position)


async def receipts(phone: Phone, query: models.Poll) -> models.ReceiptPage:
    """Return receipts for messages of the account, from a position on."""
    items, position = await _news(phone.receipts, query)
    return models.ReceiptPage(items=tuple(map(receipt_view, items)), next=position)


async def handling_errors(phone: Phone, query: models.Poll) -> models.HandlingErrorPage:
    """Return what the phone could not handle, from a position on."""
    items, position = await _news(phone.handling_errors, query)
    return models.HandlingErrorPage(items=tuple(map(handling_error_view, items)), next=position)


async def _download(phone: Phone, messages: Iterable[ChatMessage]) -> None:
    for message in messages:
        if message.media is not None:
            await phone.media(message)


async def _news(events: EventLog[EntryT], poll: models.Poll) -> tuple[tuple[EntryT, ...], int]:
    entries = await events.wait_since(poll.since, timeout=poll.timeout_seconds)
    return entries, len(events)


OPERATIONS: Final = tuple(
    Operation(name=name, route=f"GET /phones/{{number}}/{path}", run=run, whole="poll")
    for name, path, run in (
        ("inbox", "inbox", inbox),
        ("own_messages", "own-messages", own_messages),
        ("receipts", "receipts", receipts),
        ("handling_errors", "handling-errors", handling_errors),
    )
)
