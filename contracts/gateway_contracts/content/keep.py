"""A message that stays although its chat's messages disappear."""

from typing import Literal

from pydantic import Field

from gateway_contracts.model import WireModel
from gateway_contracts.references import MessageReference, MessageTarget


class KeepToSend(WireModel):
    """Keep a disappearing message for everybody in the chat, or let it go again."""

    kind: Literal["keep"] = "keep"
    target: MessageTarget
    kept: bool = Field(default=True, description="False lets it disappear.")


class KeepContent(WireModel):
    """A disappearing message is kept for everybody in the chat, or goes after all."""

    kind: Literal["keep"] = "keep"
    target: MessageReference
    kept: bool
