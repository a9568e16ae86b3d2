"""When a chat's messages disappear."""

from typing import Literal

from pydantic import Field

from gateway_contracts.model import WireModel


class TimerContent(WireModel):
    """From now on messages of this chat disappear after so long, or stay."""

    kind: Literal["timer"] = "timer"
    seconds: int = Field(ge=0, description="0: they stay.")
