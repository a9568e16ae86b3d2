"""What a status post carries, told apart by `kind`."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.content.text import TextFont
from gateway_contracts.marks import Part
from gateway_contracts.media import MediaSource
from gateway_contracts.model import Color, Text, WireModel
from gateway_contracts.unions import told_apart_by

DEFAULT_BACKGROUND = "#075E54"


class StatusText(WireModel):
    """A text on a coloured ground."""

    kind: Literal["text"] = "text"
    text: Annotated[Text, Field(min_length=1, max_length=700)] = Field(
        description="The text, at most 700 characters: so many WhatsApp's apps take."
    )
    background: Color = DEFAULT_BACKGROUND
    font: TextFont = TextFont.SYSTEM


class StatusImage(WireModel):
    """A picture."""

    kind: Literal["image"] = "image"
    media: MediaSource
    caption: Annotated[Text, Field(min_length=1)] | None = None


class StatusVideo(WireModel):
    """A video; WhatsApp's apps show the first minute or so."""

    kind: Literal["video"] = "video"
    media: MediaSource
    caption: Annotated[Text, Field(min_length=1)] | None = None


class StatusVoice(WireModel):
    """A voice note; what is not Opus in Ogg is converted."""

    kind: Literal["voice"] = "voice"
    media: MediaSource


_Posted = StatusText | StatusImage | StatusVideo | StatusVoice

StatusContent = Annotated[
    _Posted,
    told_apart_by("kind", _Posted),
    Part(module=__name__, name="StatusContent", description="What to post, told apart by `kind`."),
]
"""The content of `status.post`."""
