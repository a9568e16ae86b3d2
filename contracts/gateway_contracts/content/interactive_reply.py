"""What somebody has chosen among buttons or in a list."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import WireModel


class ReplyForm(StrEnum):
    """What it was chosen from."""

    BUTTONS = "buttons"
    LIST = "list"
    TEMPLATE = "template"
    FLOW = "flow"


class InteractiveReplyContent(WireModel):
    """An answer to buttons, a list or another interactive message; `reply_to` names that one."""

    kind: Literal["interactive_reply"] = "interactive_reply"
    form: ReplyForm
    id: Annotated[str, PERSONAL] = Field(
        description="What was chosen, by the id that the question gave it; empty without one."
    )
    title: Annotated[str, PERSONAL] = Field("", description="What the chat shows of it.")
    description: Annotated[str, PERSONAL] | None = None
    parameters: Annotated[str, PERSONAL] | None = Field(
        None, description="Of a flow: its answer, as JSON, as the sender's app wrote it."
    )
