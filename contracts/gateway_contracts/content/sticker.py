"""Stickers."""

from typing import Literal

from pydantic import Field

from gateway_contracts.media import Media, MediaSource
from gateway_contracts.model import WireModel


class StickerToSend(WireModel):
    """A sticker to send; what is not WebP of 512 by 512 pixels is converted."""

    kind: Literal["sticker"] = "sticker"
    media: MediaSource


class StickerContent(WireModel):
    """A sticker as it arrived: WebP, or with the media type `application/was` Lottie."""

    kind: Literal["sticker"] = "sticker"
    media: Media
    animated: bool = Field(default=False, description="It moves.")
