"""Pictures."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import Media
from gateway_contracts.model import Jid, WireModel


class ImageContent(WireModel):
    """A picture as it arrived."""

    kind: Literal["image"] = "image"
    media: Media
    caption: Annotated[str, PERSONAL] | None = None
    mentions: tuple[Jid, ...] = ()
    view_once: bool = Field(default=False, description="Its sender wants it seen once only.")
