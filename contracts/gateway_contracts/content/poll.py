"""A question with answers to choose from."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, FailFast, Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, WireModel, whole

MOST_OPTIONS = 12


def _distinct(options: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(options)) < len(options):
        raise ValueError("must differ from each other")
    return options


class PollToSend(WireModel):
    """A poll to send."""

    kind: Literal["poll"] = "poll"
    question: Annotated[FreeText, Field(min_length=1, max_length=255), PERSONAL]
    options: Annotated[
        tuple[Annotated[FreeText, Field(min_length=1, max_length=100), PERSONAL], ...],
        FailFast(),
        AfterValidator(_distinct),
    ] = Field(
        min_length=2,
        max_length=MOST_OPTIONS,
        description="The answers, no two of them alike.",
        json_schema_extra={"uniqueItems": True},
    )
    selectable_count: Annotated[int, Field(ge=0, le=MOST_OPTIONS), BeforeValidator(whole)] = Field(
        1,
        description="How many answers one may choose: 1, or 0 for any number. WhatsApp's apps know "
        "only these two.",
    )


class PollContent(WireModel):
    """A poll as it arrived. Votes in it come as `poll.vote`."""

    kind: Literal["poll"] = "poll"
    question: Annotated[str, PERSONAL]
    options: tuple[Annotated[str, PERSONAL], ...] = ()
    selectable_count: int = Field(0, description="How many one may choose; 0: any number.")
