"""An emoji beside a message."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, WireModel
from gateway_contracts.references import MessageReference, MessageTarget


class ReactionToSend(WireModel):
    """The account's reaction to a message; a later one takes its place."""

    kind: Literal["reaction"] = "reaction"
    target: MessageTarget
    emoji: Annotated[FreeText, Field(max_length=64), PERSONAL] = Field(
        description="One emoji; empty to take the reaction back.", examples=["\N{THUMBS UP SIGN}"]
    )


class ReactionContent(WireModel):
    """Somebody's reaction to a message; it takes the place of the one before by the same person."""

    kind: Literal["reaction"] = "reaction"
    target: MessageReference
    emoji: Annotated[str, PERSONAL] = Field(description="Empty if the reaction was taken back.")
