"""Text."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.link_preview import LinkPreview, LinkPreviewToSend
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, Mentions, Text, WireModel


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
