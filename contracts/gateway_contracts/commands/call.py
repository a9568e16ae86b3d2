"""Commands about calls."""

from typing import Literal

from pydantic import Field

from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import CallId, PersonId, WireModel


class CallRejectData(WireModel):
    """Which call, and whose."""

    call_id: CallId
    caller: PersonId = Field(description="The `creator` that its `call.received` has.")


class CallReject(CommandEnvelope):
    """Refuse a call that rings, on all devices of the account.

    It returns when WhatsApp has been told, which says nothing to it: a call that is over, or was
    none, is no failure.
    """

    type: Literal["wa.call.reject.v1"] = "wa.call.reject.v1"
    data: CallRejectData


CallCommand = CallReject
"""Every command of this family."""
