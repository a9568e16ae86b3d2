"""Documents: files of any type."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import Media, MediaSource
from gateway_contracts.model import FreeText, Jid, Mentions, Text, WireModel


class DocumentToSend(WireModel):
    """A document to send."""

    kind: Literal["document"] = "document"
    media: MediaSource
    file_name: Annotated[FreeText, Field(min_length=1, max_length=255), PERSONAL] = Field(
        description="What the message shows, and what it is saved under.", examples=["invoice.pdf"]
    )
    caption: Annotated[Text, Field(min_length=1)] | None = Field(
        None, description="Shown below it, at most 65,536 characters."
    )
    mentions: Mentions = Field((), description="People named with `@<number>` in the caption.")


class DocumentContent(WireModel):
    """A document as it arrived."""

    kind: Literal["document"] = "document"
    media: Media
    file_name: Annotated[str, PERSONAL] | None = None
    caption: Annotated[str, PERSONAL] | None = None
    mentions: tuple[Jid, ...] = ()
