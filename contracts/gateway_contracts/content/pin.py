"""A message at the top of its chat."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway_contracts.model import WireModel, whole
from gateway_contracts.references import MessageReference, MessageTarget


class PinToSend(WireModel):
    """Pin a message for everybody in the chat, or take it down again."""

    kind: Literal["pin"] = "pin"
    target: MessageTarget
    pinned: bool = Field(default=True, description="False takes it down.")
    seconds: Annotated[Literal[86_400, 604_800, 2_592_000], BeforeValidator(whole)] = Field(
        604_800, description="How long it stays: a day, a week or 30 days."
    )


class PinContent(WireModel):
    """A message was pinned for everybody in the chat, or taken down."""

    kind: Literal["pin"] = "pin"
    target: MessageReference
    pinned: bool
