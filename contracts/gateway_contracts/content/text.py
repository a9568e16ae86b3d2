"""Text."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.link_preview import LinkPreview, LinkPreviewToSend
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Color, Jid, Mentions, Text, WireModel


class TextFont(StrEnum):
    """The letters of a text in a status post; apps that lack one take another."""

    SYSTEM = "system"
    SYSTEM_TEXT = "system_text"
    SYSTEM_BOLD = "system_bold"
    SCRIPT = "script"
    MORNING_BREEZE = "morning_breeze"
    CALISTOGA = "calistoga"
    EXO2 = "exo2"
    COURIER_PRIME = "courier_prime"


class TextToSend(WireModel):
    """A text message to send."""

    kind: Literal["text"] = "text"
    text: Annotated[Text, Field(min_length=1)] = Field(
        description="The text, at most 65,536 characters."
    )
    mentions: Mentions = Field((), description="People named with `@<number>` in the text.")
    mention_all: bool = Field(
        default=False, description="Name everybody in the group; the text should say `@all`."
    )
    link_preview: LinkPreviewToSend | None = Field(
        None, description="What is shown of a page that the text has a link to; none without it."
    )


class TextContent(WireModel):
    """A text message as it arrived."""

    kind: Literal["text"] = "text"
    text: Annotated[str, PERSONAL]
    mentions: tuple[Jid, ...] = ()
    mention_all: bool = Field(default=False, description="It names everybody in the group.")
    link_preview: LinkPreview | None = None
    background: Color | None = Field(None, description="Of a status post: what it stands on.")
    font: TextFont | None = Field(None, description="Of a status post.")
