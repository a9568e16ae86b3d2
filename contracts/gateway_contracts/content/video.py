"""Videos: with sound, as a GIF, or as a round video note."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import Media, MediaSource
from gateway_contracts.model import Jid, Mentions, Text, WireModel


class VideoToSend(WireModel):
    """A video to send."""

    kind: Literal["video"] = "video"
    media: MediaSource
    caption: Annotated[Text, Field(min_length=1)] | None = Field(
        None, description="Shown below it, at most 65,536 characters."
    )
    mentions: Mentions = Field((), description="People named with `@<number>` in the caption.")
    gif: bool = Field(
        default=False, description="It is to play by itself, again and again, silently."
    )
    view_once: bool = Field(default=False, description="It may be seen once only.")


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
