"""A session and somebody else, who write to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway_contracts import (
    MessageEdited,
    MessageReaction,
    MessageReceived,
    MessageRevoked,
    MessageSend,
    MessageSendData,
    SentInfo,
)
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.values import ChatMessage
from tests.e2e.harness import Gateway

Change = TypeVar("Change", MessageEdited, MessageReaction, MessageRevoked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A session that talks with somebody.

    Attributes:
        gateway: Where it is.
        name: The session's.
        phone: Of the session's account.
        other: Somebody else's.
    """

    gateway: Gateway
    name: str
    phone: Phone
    other: Phone

    @property
    def chat(self) -> str:
        """The conversation, as the backend knows it."""
        return f"{self.other.number}@s.whatsapp.net"

    @property
    def me(self) -> str:
        """The account, as the backend knows it."""
        return f"{self.phone.number}@s.whatsapp.net"

    def command(self, content: Mapping[str, Any], **more: Any) -> MessageSend:
        """Return the command that sends a content."""
        data = {"to": self.other.number, "content": content, **more}
        return MessageSend(
            source=self.gateway.backend.source,
            subject=self.name,
            data=MessageSendData.model_validate(data),
        )

    async def send(self, content: Mapping[str, Any], **more: Any) -> SentInfo:
        """Send a content."""
        sent = await self.gateway.succeed(self.command(content, **more))
        assert isinstance(sent, SentInfo)
        return sent

    async def show(self, content: Mapping[str, Any], **more: Any) -> ChatMessage:
        """Send a content; returns what the other phone shows."""
        return await self.shown(await self.send(content, **more))

    async def shown(self, sent: object) -> ChatMessage:
        """Return what the other phone shows of what was sent."""
        assert isinstance(sent, SentInfo)
        return await arrived(self.other, sent.message_id)

    async def received(self, message_id: str) -> MessageReceived:
        """Wait until the backend is told of a message of the other phone."""
        return await self.gateway.backend.expect(
            MessageReceived, self.name, lambda event: event.data.message_id == message_id
        )

    async def told(
        self, event_type: type[Change], message_id: str, *, from_me: bool = False
    ) -> dict[str, Any]:
        """Return the content of what changes something as the backend is told of it."""
        event = await self.gateway.backend.expect(
            event_type, self.name, lambda event: event.data.message_id == message_id
        )
        assert (event.data.partial, event.data.from_me) == (False, from_me)
        return event.data.content.model_dump(mode="json", exclude_none=True)

    def reference(self, message_id: str, *, from_me: bool) -> dict[str, Any]:
        """Return how a message of this chat is named."""
        return {
            "message_id": message_id,
            "chat": self.chat,
            "participant": self.me if from_me else self.chat,
            "from_me": from_me,
        }


async def arrived(phone: Phone, message_id: str) -> ChatMessage:
    """Return what a phone has got from somebody else."""
    return await phone.inbox.wait_for(lambda message: message.message_id == message_id, timeout=30)


async def arrived_own(phone: Phone, message_id: str) -> ChatMessage:
    """Return what the account's own phone has got from the gateway."""
    return await phone.own_messages.wait_for(
        lambda message: message.message_id == message_id, timeout=10
    )
