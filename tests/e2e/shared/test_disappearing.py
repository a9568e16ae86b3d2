"""Messages say after how long they disappear, as their chat was set to."""

from __future__ import annotations

from typing import Any

from gateway_contracts import (
    ChatTimerChanged,
    MessageReceived,
    MessageSend,
    MessageSendData,
    SentInfo,
)
from tests.e2e.harness import Gateway

WEEK = 604_800


def setting(seconds: int) -> dict[str, Any]:
    """Return what a phone writes when its owner sets a chat's timer."""
    return {"protocolMessage": {"type": "EPHEMERAL_SETTING", "ephemeralExpiration": seconds}}


async def test_a_chat_s_timer_is_obeyed(gateway: Gateway, name: str) -> None:
    """From when either sets it, on what is sent there and nowhere else, until it is taken off."""
    phone = await gateway.sandbox.add_phone()
    other, third = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)

    async def expiration(content: dict[str, Any], to: Any = other) -> int | None:
        data = MessageSendData.model_validate({"to": to.number, "content": content})
        sent = await gateway.succeed(
            MessageSend(source=gateway.backend.source, subject=name, data=data)
        )
        assert isinstance(sent, SentInfo)
        shown = await to.inbox.wait_for(lambda one: one.message_id == sent.message_id, timeout=30)
        (part,) = (part for kind, part in shown.content.items() if kind != "messageContextInfo")
        return part["contextInfo"]["expiration"] if isinstance(part, dict) else None

    async def changed(message_id: str) -> ChatTimerChanged:
        return await gateway.backend.expect(
            ChatTimerChanged, name, lambda event: event.data.message_id == message_id
        )

    text = {"kind": "text", "text": "hello"}
    assert await expiration(text) is None

    event = await changed(await other.send_content(phone.number, setting(WEEK)))
    assert (event.data.content.seconds, event.data.from_me) == (WEEK, False)
    assert event.data.chat == f"{other.number}@s.whatsapp.net"
    assert await expiration(text) == WEEK
    assert await expiration({"kind": "contact", "cards": [CARD]}) == WEEK
    assert await expiration(text, third) is None

    event = await changed(await phone.send_content(other.number, setting(0)))
    assert (event.data.content.seconds, event.data.from_me) == (0, True)
    assert await expiration(text) is None

    wire = {"extendedTextMessage": {"text": "hi", "contextInfo": {"expiration": 86_400}}}
    message_id = await third.send_content(phone.number, wire)
    received = await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.message_id == message_id
    )
    assert received.data.disappearing_seconds == 86_400
    assert await expiration(text, third) == 86_400


CARD = {"display_name": "Grace", "vcard": "BEGIN:VCARD\nVERSION:3.0\nFN:Grace\nEND:VCARD"}
