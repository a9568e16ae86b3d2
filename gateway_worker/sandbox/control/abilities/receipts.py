"""Receipts that a phone sends."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone


async def read(phone: Phone, body: models.MessageIds) -> None:
    """Send read receipts."""
    await phone.read(*body.message_ids)


async def play(phone: Phone, body: models.MessageIds) -> None:
    """Send played receipts."""
    await phone.play(*body.message_ids)


OPERATIONS: Final = (
    Operation(name="read", route="POST /phones/{number}/read", run=read, star="message_ids"),
    Operation(name="play", route="POST /phones/{number}/played", run=play, star="message_ids"),
)
