"""Previews of links: what is shown of a page together with a text that has its address."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL, Part
from gateway_contracts.media import MediaSource
from gateway_contracts.model import URL_PATTERN, FreeText, WireModel
from gateway_contracts.unions import told_apart_by


class AutomaticPreview(WireModel):
    """A preview that the gateway makes of the page behind the text's first link."""

    mode: Literal["automatic"] = "automatic"


class CardPreview(WireModel):
    """A preview as the sender wants it; nobody looks at the page."""

    mode: Literal["card"] = "card"
    url: Annotated[str, Field(max_length=2_048, pattern=URL_PATTERN), PERSONAL] = Field(
        description="The address, as it stands in the text.",
        examples=["https://shop.example/orders/1047"],
    )
    title: Annotated[FreeText, Field(min_length=1, max_length=300), PERSONAL]
    description: Annotated[FreeText, Field(max_length=600), PERSONAL] | None = None
    thumbnail: MediaSource | None = Field(
        None, description="An image, of which a small picture is made."
    )


_Preview = AutomaticPreview | CardPreview

LinkPreviewToSend = Annotated[
    _Preview,
    told_apart_by("mode", _Preview),
    Part(
        module=__name__,
        name="LinkPreviewToSend",
        description="Whose preview a text has, told apart by `mode`.",
    ),
]
"""What preview a text is sent with."""


class LinkPreview(WireModel):
    """What a text shows of a page; its picture is left out."""

    url: Annotated[str, PERSONAL] = Field(description="The address, as it stands in the text.")
    title: Annotated[str, PERSONAL] | None = None
    description: Annotated[str, PERSONAL] | None = None
