"""A phone shows that it writes."""

from __future__ import annotations

from typing import Final, Literal

from gateway_worker.sandbox.control.models import Body
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone


class TypingState(Body):
    """To whom, and what of it."""

    to: str
    state: Literal["composing", "recording", "paused"] = "composing"


async def show_typing(phone: Phone, body: TypingState) -> None:
    """Show somebody who is online that the phone writes, records, or has stopped."""
    await phone.show_typing(body.to, body.state)


OPERATIONS: Final = (
    Operation(name="show_typing", route="POST /phones/{number}/typing", run=show_typing),
)
