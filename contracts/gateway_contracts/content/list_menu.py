"""A text with a list to choose from."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from gateway_contracts.content.buttons import ChoiceId, Footer
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, Text, WireModel

_Title = Annotated[FreeText, Field(min_length=1, max_length=24), PERSONAL]


class ListRowToSend(WireModel):
    """Something to choose."""

    id: ChoiceId = Field(description="Comes back as `id` of the `interactive_reply`.")
    title: _Title
    description: Annotated[FreeText, Field(min_length=1, max_length=72), PERSONAL] | None = None


class ListSectionToSend(WireModel):
    """Things to choose from, below a title."""

    title: _Title | None = None
    rows: Annotated[tuple[ListRowToSend, ...], FailFast()] = Field(min_length=1, max_length=10)


class ListMenuToSend(WireModel):
    """A text with a list to send. Needs the feature `interactive`: many apps show it otherwise."""

    kind: Literal["list_menu"] = "list_menu"
    text: Annotated[Text, Field(min_length=1)]
    footer: Footer | None = None
    button: Annotated[FreeText, Field(min_length=1, max_length=20), PERSONAL] = Field(
        description="What opens the list."
    )
    sections: Annotated[tuple[ListSectionToSend, ...], FailFast()] = Field(
        min_length=1, max_length=10
    )


class ListRow(WireModel):
    """Something to choose."""

    id: Annotated[str, PERSONAL]
    title: Annotated[str, PERSONAL]
    description: Annotated[str, PERSONAL] | None = None


class ListSection(WireModel):
    """Things to choose from."""

    title: Annotated[str, PERSONAL] | None = None
    rows: tuple[ListRow, ...] = ()


class ListMenuContent(WireModel):
    """A text with a list as it arrived."""

    kind: Literal["list_menu"] = "list_menu"
    text: Annotated[str, PERSONAL]
    footer: Annotated[str, PERSONAL] | None = None
    button: Annotated[str, PERSONAL] = ""
    sections: tuple[ListSection, ...] = ()
