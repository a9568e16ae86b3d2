"""Commands about files that came with messages, and what they return."""

from typing import Literal

from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.media import Media, MediaId
from gateway_contracts.model import WireModel


class MediaGetData(WireModel):
    """Which file is wanted."""

    media_id: MediaId


class MediaGet(CommandEnvelope):
    """Fetch a file that came with a message, or again what is not there any more.

    Succeeds when it is in the gateway's bucket, at once if it is there already.
    """

    type: Literal["wa.media.get.v1"] = "wa.media.get.v1"
    data: MediaGetData


class MediaInfo(WireModel):
    """A file that is in the gateway's bucket."""

    kind: Literal["media"] = "media"
    media: Media


MediaCommand = MediaGet
"""Every command of this family."""

MediaResult = MediaInfo
"""What they return."""
