"""Contacts that a phone wants nothing from."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone


def block(phone: Phone, contact: str) -> None:
    """Block a contact."""
    phone.block(contact)


def unblock(phone: Phone, contact: str) -> None:
    """Unblock a contact."""
    phone.unblock(contact)


OPERATIONS: Final = (
    Operation(name="block", route="PUT /phones/{number}/blocked/{contact}", run=block),
    Operation(name="unblock", route="DELETE /phones/{number}/blocked/{contact}", run=unblock),
)
