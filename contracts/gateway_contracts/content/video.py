"""Videos: with sound, as a GIF, or as a round video note."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import Media
from gateway_contracts.model import Jid, WireModel


class VideoContent(WireModel):
    """A video as it arrived."""

    kind: Literal["video"] = "video"
    media: Media
    caption: Annotated[str, PERSONAL] | None = None
    mentions: tuple[Jid, ...] = ()
    gif: bool = Field(default=False, description="It plays by itself, again and again, silently.")
    video_note: bool = Field(
        default=False, description="It was recorded in the chat, and is shown round."
    )
    view_once: bool = Field(default=False, description="Its sender wants it seen once only.")
