"""Sound files."""

from typing import Literal

from gateway_contracts.media import Media, MediaSource
from gateway_contracts.model import WireModel


class AudioToSend(WireModel):
    """A sound file to send."""

    kind: Literal["audio"] = "audio"
    media: MediaSource


class AudioContent(WireModel):
    """A sound file as it arrived; what was recorded in the chat is `voice`."""

    kind: Literal["audio"] = "audio"
    media: Media
