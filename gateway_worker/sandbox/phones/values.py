"""What a phone records: messages in both directions and the receipts for its own."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway_worker.sandbox.phones.content import Target, to_json

if TYPE_CHECKING:
    from datetime import datetime

    from gateway_worker.sandbox.phones.media.attachment import Attachment
    from gateway_worker.sandbox.wire.jid import Jid


class ReceiptKind(enum.StrEnum):
    """What a receipt says. Receipts of devices that nobody looks at count as delivered."""

    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    RETRY = "retry"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """A message that the phone shows in a chat.

    Attributes:
        message_id: as chosen by its sender.
        chat: LID of the other party, a group, status, or a channel.
        sender: LID of the writing device; device 0 is a phone. In a channel, the channel.
        sender_number: digits of the writer's phone number; empty when unknown.
        from_me: written by this account (here or on a companion).
        kind: one of `content.KINDS`, `edit`, `revoke` or `other`.
        text: text, caption or emoji.
        quoted_id: the message it replies to.
        target_id: the message that a reaction, vote, edit or revocation is about.
        mentions: addresses named in the text.
        sent_at: the service's time stamp, whole seconds.
        received_at: when this phone had decrypted it.
        asked_again: how often this phone had to ask for it again before it could.
        raw: serialized content; quoted by replies.
        media: the file that comes with it; see `Phone.media`.
    """

    message_id: str
    chat: Jid
    sender: Jid
    sender_number: str
    from_me: bool
    kind: str
    text: str
    quoted_id: str | None
    target_id: str | None
    mentions: tuple[Jid, ...]
    sent_at: datetime
    received_at: datetime
    asked_again: int = 0
    raw: bytes = field(repr=False)
    media: Attachment | None = None

    @property
    def participant(self) -> Jid | None:
        """LID of the writer, where the chat does not tell who of several that is."""
        return self.sender.account if self.chat.is_shared and not self.from_me else None

    def as_target(self) -> Target:
        """Name it in what is written about it."""
        return Target(
            message_id=self.message_id,
            chat=self.chat,
            from_me=self.from_me,
            participant=self.participant,
        )

    @property
    def content(self) -> dict[str, Any]:
        """All of it, as protojson of the library's `Message`."""
        return to_json(self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPresence:
    """What somebody shows: that they are there, or what they do in the chat.

    Attributes:
        sender: who.
        state: `available`, `unavailable`, `composing`, `recording` or `paused`.
    """

    sender: Jid
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenReceipt:
    """A receipt for messages of this account.

    Attributes:
        message_ids: at least one.
        sender: LID of the device that confirms.
        kind: what it confirms.
        sent_at: the service's time stamp.
    """

    message_ids: tuple[str, ...]
    sender: Jid
    kind: ReceiptKind
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A device that this phone has linked.

    Attributes:
        device: its LID address; the device number is above 0.
        number: its phone-number address.
        platform: what it calls itself.
        platform_type: what it says that it is, by WhatsApp's number.
        linked_at: when pairing ended.
    """

    device: Jid
    number: Jid
    platform: str
    platform_type: int
    linked_at: datetime
