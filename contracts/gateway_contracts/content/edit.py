"""The new text of a message."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, Recipient, Text, WireModel
from gateway_contracts.references import MessageReference, MessageTarget


class EditToSend(WireModel):
    """The new text of a message that the account has sent.

    WhatsApp's apps show it for messages of the last 15 minutes; the gateway sends it for any.
    """

    kind: Literal["edit"] = "edit"
    target: MessageTarget = Field(description="A text of the account's own.")
    text: Annotated[Text, Field(min_length=1)] = Field(description="What it says from now on.")
    mentions: Annotated[tuple[Recipient, ...], FailFast()] = Field(
        (), max_length=256, description="People named with `@<number>` in the text."
    )


class EditContent(WireModel):
    """The new text of a message of the same writer; of a picture or a file, its new caption."""

    kind: Literal["edit"] = "edit"
    target: MessageReference
    text: Annotated[str, PERSONAL]
    mentions: tuple[Jid, ...] = ()
