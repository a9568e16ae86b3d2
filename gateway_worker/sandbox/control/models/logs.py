"""What phones saw, in pages that can be waited for."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from gateway_worker.sandbox.control.models.base import Body
from gateway_worker.sandbox.control.models.media import MediaView
from gateway_worker.sandbox.phones.values import ReceiptKind


class Poll(Body):
    """The query of a long poll: from which position, and how many seconds to wait for news."""

    since: int = Field(default=0, ge=0)
    timeout_seconds: float = Field(default=0.0, ge=0, le=120)


class MessageView(Body):
    """A message as the phone shows it; see `phones.values.ChatMessage`."""

    message_id: str
    chat: str
    sender: str
    sender_number: str
    from_me: bool
    kind: str
    text: str
    quoted_id: str | None
    target_id: str | None
    mentions: tuple[str, ...]
    sent_at: datetime
    received_at: datetime
    asked_again: int
    media: MediaView | None


class ReceiptView(Body):
    """A receipt; see `phones.values.SeenReceipt`."""

    message_ids: tuple[str, ...]
    sender: str
    kind: ReceiptKind
    sent_at: datetime


class HandlingErrorView(Body):
    """Something the phone could not handle."""

    where: str
    error: str


class MessagePage(Body):
    """Messages from a position on; ask again with `next`."""

    items: tuple[MessageView, ...]
    next: int


class ReceiptPage(Body):
    """Receipts from a position on; ask again with `next`."""

    items: tuple[ReceiptView, ...]
    next: int


class HandlingErrorPage(Body):
    """What the phone could not handle, from a position on; ask again with `next`."""

    items: tuple[HandlingErrorView, ...]
    next: int
