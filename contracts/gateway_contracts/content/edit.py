"""The new text of a message."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.content.event import EventContent
from gateway_contracts.content.poll import PollContent
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, Mentions, Text, WireModel
from gateway_contracts.references import MessageReference, MessageTarget


class EditToSend(WireModel):
    """The new text of a message that the account has sent, or the new caption of a file.

    WhatsApp's apps show it for messages of the last 15 minutes; the gateway sends it for any.
    """

    kind: Literal["edit"] = "edit"
    target: MessageTarget = Field(
        description="A text of the account's own, or its picture, video or document."
    )
    text: Annotated[Text, Field(min_length=1)] = Field(description="What it says from now on.")
    mentions: Mentions = Field((), description="People named with `@<number>` in the text.")


class EditContent(WireModel):
    """The new text of a message of the same writer; of a picture or a file, its new caption.

    Of an appointment or a poll, all of it.
    """

    kind: Literal["edit"] = "edit"
    target: MessageReference
    text: Annotated[str, PERSONAL] = Field(
        description="Of an appointment its name, of a poll its question."
    )
    mentions: tuple[Jid, ...] = ()
    event: EventContent | None = Field(
        None, description="Of an appointment: what it is from now on."
    )
    poll: PollContent | None = Field(None, description="Of a poll: what it asks from now on.")
