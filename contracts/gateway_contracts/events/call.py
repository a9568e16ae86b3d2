"""Events of calls: somebody rings the account, and a call is over."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.envelope import ChatEventData, SessionEventEnvelope
from gateway_contracts.model import CallId, FreeText, Jid, Timestamp
from gateway_contracts.people import Participant


class CallData(ChatEventData):
    """Which call it is, and who calls."""

    call_id: CallId
    chat: Jid = Field(description="The conversation: the caller's or the group's id.")
    caller: Participant
    creator: Jid = Field(
        description="The id of the caller that WhatsApp uses in this call; to refuse it takes that."
    )
    is_group: bool = False
    timestamp: Timestamp = Field(description="WhatsApp's time.")
    partial: bool = Field(
        default=False, description="As in `message.received`: something of it did not fit."
    )


class CallReceivedData(CallData):
    """A call that rings."""

    video: bool = Field(default=False, description="With pictures.")
    auto_rejected: bool = Field(
        default=False, description="The gateway refuses it, as the session's `calls` says."
    )


class CallReceived(SessionEventEnvelope):
    """Somebody calls the account. `call.reject` refuses it; the gateway cannot answer."""

    type: Literal["wa.call.received.v1"] = "wa.call.received.v1"
    data: CallReceivedData


class CallEndedData(CallData):
    """A call that rings or runs no longer."""

    reason: Annotated[FreeText, Field(max_length=64)] | None = Field(
        None,
        description="Why, in WhatsApp's own word, if it gives one. Its words are not a closed set.",
    )


class CallEnded(SessionEventEnvelope):
    """A call is over: answered, refused or given up on whichever device."""

    type: Literal["wa.call.ended.v1"] = "wa.call.ended.v1"
    data: CallEndedData


CallEvent = CallReceived | CallEnded
"""Every event of this family."""
