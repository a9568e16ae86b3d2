"""Pictures."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import Media, MediaSource
from gateway_contracts.model import Jid, Mentions, Text, WireModel


class ImageToSend(WireModel):
    """A picture to send."""

    kind: Literal["image"] = "image"
    media: MediaSource
    caption: Annotated[Text, Field(min_length=1)] | None = Field(
        None, description="Shown below it, at most 65,536 characters."
    )
    mentions: Mentions = Field((), description="People named with `@<number>` in the caption.")
    view_once: bool = Field(default=False, description="It may be seen once only.")


class ImageContent(WireModel):
    """A picture as it arrived."""

    kind: Literal["image"] = "image"
    media: Media
    caption: Annotated[str, PERSONAL] | None = None
    mentions: tuple[Jid, ...] = ()
    view_once: bool = Field(default=False, description="Its sender wants it seen once only.")
