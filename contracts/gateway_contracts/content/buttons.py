"""A text with buttons."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, Text, WireModel

ChoiceId = Annotated[FreeText, Field(min_length=1, max_length=256), PERSONAL]
Footer = Annotated[FreeText, Field(min_length=1, max_length=60), PERSONAL]


class ButtonToSend(WireModel):
    """A button that answers."""

    id: ChoiceId = Field(description="Comes back as `id` of the `interactive_reply`.")
    title: Annotated[FreeText, Field(min_length=1, max_length=20), PERSONAL]


class ButtonsToSend(WireModel):
    """A text with buttons to send. Needs the feature `interactive`: many apps show it otherwise."""

    kind: Literal["buttons"] = "buttons"
    text: Annotated[Text, Field(min_length=1)]
    footer: Footer | None = None
    buttons: Annotated[tuple[ButtonToSend, ...], FailFast()] = Field(min_length=1, max_length=10)


class Button(WireModel):
    """A button."""

    id: Annotated[str, PERSONAL] = Field(description="Empty if it does something else than answer.")
    title: Annotated[str, PERSONAL]


class ButtonsContent(WireModel):
    """A text with buttons as it arrived."""

    kind: Literal["buttons"] = "buttons"
    text: Annotated[str, PERSONAL]
    footer: Annotated[str, PERSONAL] | None = None
    buttons: tuple[Button, ...] = ()
