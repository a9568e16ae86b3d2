"""What a phone does by itself when a message comes in.

A script is any coroutine function of phone and message. Scripts of one phone run one message at a
time, in order and beside the receiving of further messages; a script that fails is logged and
recorded in the phone's `handling_errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.phone import Phone
    from gateway_worker.sandbox.phones.values import ChatMessage

Script = Callable[["Phone", "ChatMessage"], Awaitable[None]]
"""What a phone does by itself when a message comes in."""


def auto_reply(
    reply: str | Callable[[ChatMessage], str | None],
    *,
    quote: bool = False,
    after_seconds: float = 0.0,
) -> Script:
    """Answer every text.

    Args:
        reply: the answer, or a function that makes it from the message (None: no answer).
        quote: whether the answer quotes the message.
        after_seconds: pause before answering.
    """

    async def script(phone: Phone, message: ChatMessage) -> None:
        text = reply if isinstance(reply, str) else reply(message)
        if text is None or message.kind != "text":
            return
        await asyncio.sleep(after_seconds)
        await phone.send_text(message.chat, text, reply_to=message if quote else None)

    return script


def auto_read(*, after_seconds: float = 0.0) -> Script:
    """Read every message as soon as it arrives, or after a pause."""

    async def script(phone: Phone, message: ChatMessage) -> None:
        await asyncio.sleep(after_seconds)
        await phone.read(message)

    return script
