"""Voice notes."""

from typing import Literal

from pydantic import Field

from gateway_contracts.media import Media, MediaSource
from gateway_contracts.model import WireModel


class VoiceToSend(WireModel):
    """A voice note to send; what is not Opus in Ogg is converted."""

    kind: Literal["voice"] = "voice"
    media: MediaSource
    view_once: bool = Field(default=False, description="It may be heard once only.")


class VoiceContent(WireModel):
    """A voice note as it arrived."""

    kind: Literal["voice"] = "voice"
    media: Media
    view_once: bool = Field(default=False, description="Its sender wants it heard once only.")
