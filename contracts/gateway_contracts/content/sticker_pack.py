"""A collection of stickers."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import WireModel


class StickerPackContent(WireModel):
    """A collection of stickers as it arrived, without the stickers."""

    kind: Literal["sticker_pack"] = "sticker_pack"
    name: Annotated[str, PERSONAL]
    publisher: Annotated[str, PERSONAL] | None = None
    stickers: int = Field(0, description="How many there are.")
