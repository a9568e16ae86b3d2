"""Voice notes."""

from typing import Literal

from pydantic import Field

from gateway_contracts.media import Media
from gateway_contracts.model import WireModel


class VoiceContent(WireModel):
    """A voice note as it arrived."""

    kind: Literal["voice"] = "voice"
    media: Media
    view_once: bool = Field(default=False, description="Its sender wants it heard once only.")
