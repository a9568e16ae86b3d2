"""A phone calls somebody, and hangs up."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone


def call(phone: Phone, body: models.NewCall) -> models.CallView:
    """Call somebody: the companions of that account hear of it."""
    return models.CallView.of(phone.call(body.to, video=body.video, group=body.group))


def call_state(phone: Phone, call_id: str) -> models.CallView:
    """Return where a call stands that the phone has placed."""
    return models.CallView.of(phone.placed_call(call_id))


def hang_up(phone: Phone, call_id: str, query: models.HangUp) -> None:
    """End a call that the phone has placed."""
    phone.hang_up(call_id, reason=query.reason)


OPERATIONS: Final = (
    Operation(
        name="call", route="POST /phones/{number}/calls", run=call, status=201, returns="call_id"
    ),
    Operation(
        name="call_state",
        route="GET /phones/{number}/calls/{call_id}",
        run=call_state,
        returns="state",
    ),
    Operation(name="hang_up", route="DELETE /phones/{number}/calls/{call_id}", run=hang_up),
)
