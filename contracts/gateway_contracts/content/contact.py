"""Cards of people."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, WireModel


class ContactCardToSend(WireModel):
    """Somebody's card to send."""

    display_name: Annotated[FreeText, Field(min_length=1, max_length=1_024), PERSONAL] = Field(
        description="What the message shows."
    )
    vcard: Annotated[FreeText, Field(min_length=1, max_length=8_192), PERSONAL] = Field(
        description="The card in vCard 3.0, from `BEGIN:VCARD` to `END:VCARD`. WhatsApp offers to "
        "write to numbers that have their digits as a parameter `waid`.",
    )


class ContactToSend(WireModel):
    """Cards of people to send, as one message."""

    kind: Literal["contact"] = "contact"
    cards: Annotated[tuple[ContactCardToSend, ...], FailFast()] = Field(
        min_length=1, max_length=100
    )


class ContactCard(WireModel):
    """Somebody's card."""

    display_name: Annotated[str, PERSONAL]
    vcard: Annotated[str, PERSONAL]


class ContactContent(WireModel):
    """Cards of people as they arrived."""

    kind: Literal["contact"] = "contact"
    cards: tuple[ContactCard, ...] = ()
