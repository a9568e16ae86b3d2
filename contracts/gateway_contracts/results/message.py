"""What commands that send return."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.model import Jid, MessageId, Timestamp, WireModel


class SentInfo(WireModel):
    """WhatsApp's server took the message, for at least one device of the recipient."""

    kind: Literal["message"] = "message"
    message_id: MessageId
    chat: Jid = Field(
        description="The conversation under WhatsApp's own id for it: where a number is written in "
        "two ways, it may differ from `to`."
    )
    timestamp: Timestamp
    devices_left_out: Annotated[int, Field(ge=0)] = Field(
        0,
        description="How many devices of the recipients the message could not be encrypted for; "
        "they do not show it, in a group not before they have asked for its key.",
    )


MessageResult = SentInfo
"""Every result of this family."""
