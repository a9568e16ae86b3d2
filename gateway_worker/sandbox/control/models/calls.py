"""Calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.control.models.base import Body
from gateway_worker.sandbox.service.calls import CallState

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.calls import Call


class NewCall(Body):
    """Whom to call, and how; `group` is the group in which everybody is called."""

    to: str
    video: bool = False
    group: str | None = None


class CallView(Body):
    """A call; `rejected_by` is the device that refused it."""

    call_id: str
    state: CallState
    rejected_by: str | None

    @classmethod
    def of(cls, call: Call) -> CallView:
        """Show a call."""
        device = call.rejected_by
        return cls(
            call_id=call.call_id,
            state=call.state,
            rejected_by=None if device is None else str(device),
        )


class HangUp(Body):
    """Why, in the service's word; "" is no reason."""

    reason: str = ""
