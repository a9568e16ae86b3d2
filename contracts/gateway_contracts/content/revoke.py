"""The deletion of a message for everyone."""

from typing import Literal

from pydantic import Field

from gateway_contracts.model import WireModel
from gateway_contracts.references import MessageReference, MessageTarget


class RevokeToSend(WireModel):
    """Delete a message for everyone.

    WhatsApp's apps obey for about two days after the message; the gateway sends it for any.
    """

    kind: Literal["revoke"] = "revoke"
    target: MessageTarget = Field(
        description="One of the account's own, or in a group of which it is an admin anybody's."
    )


class RevokeContent(WireModel):
    """A message was deleted for everyone: by its writer, or in a group by an admin."""

    kind: Literal["revoke"] = "revoke"
    target: MessageReference
