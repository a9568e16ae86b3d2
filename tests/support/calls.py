"""Calls of a host as tests make them."""

from __future__ import annotations

from gateway_worker.host_protocol.methods.messages import Quote, SendMessage


def send_text(
    to: str, text: str, *, mentions: tuple[str, ...] = (), quoted: Quote | None = None
) -> SendMessage:
    """Return the call that sends a text."""
    content = {"kind": "text", "text": text}
    return SendMessage(to=to, content=content, mentions=mentions, quoted=quoted)
