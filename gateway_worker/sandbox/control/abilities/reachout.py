"""Who may write to whom for the first time."""

from __future__ import annotations

from typing import Final

from pydantic import AwareDatetime

from gateway_worker.sandbox.control.models import Body
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.reachout import Timelock


class TimelockBody(Body):
    """Until when an account may begin no chats, and the reason that is given."""

    until: AwareDatetime
    kind: str = "WEB_COMPANION_ONLY"


def set_timelock(sandbox: Sandbox, phone: Phone, body: TimelockBody) -> None:
    """Let an account begin no chats for a while: its companions are told, and then get 463."""
    sandbox.set_timelock(phone.number, Timelock(until=body.until, kind=body.kind))


def lift_timelock(sandbox: Sandbox, phone: Phone) -> None:
    """End the time lock of an account; its companions are told."""
    sandbox.set_timelock(phone.number, None)


def trust(phone: Phone, contact: str) -> None:
    """Give a contact a privacy token, with which it may begin a chat even when time-locked."""
    phone.trust(contact)


OPERATIONS: Final = (
    Operation(name="set_timelock", route="PUT /phones/{number}/timelock", run=set_timelock),
    Operation(name="lift_timelock", route="DELETE /phones/{number}/timelock", run=lift_timelock),
    Operation(name="trust", route="PUT /phones/{number}/trusted/{contact}", run=trust),
)
