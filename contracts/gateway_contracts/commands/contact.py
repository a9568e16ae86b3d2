"""Commands that ask WhatsApp about people, and what they return."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, PhoneNumber, WireModel


class ContactCheckData(WireModel):
    """The numbers that are asked about."""

    numbers: Annotated[tuple[PhoneNumber, ...], FailFast()] = Field(min_length=1, max_length=50)


class ContactCheck(CommandEnvelope):
    """Ask which phone numbers are on WhatsApp, and how it writes them.

    Asking changes nothing; WhatsApp wants it done sparingly all the same.
    """

    type: Literal["wa.contact.check.v1"] = "wa.contact.check.v1"
    data: ContactCheckData


class CheckedNumber(WireModel):
    """What WhatsApp says of one number; the ids are absent if it is not there."""

    number: PhoneNumber = Field(description="As it was asked about.")
    on_whatsapp: bool
    jid: Jid | None = Field(
        None,
        description="The id to write to, and that of the chat. Where a number is written in two "
        "ways (Brazil, Mexico, Argentina) it may have other digits than `number`.",
    )
    lid: Jid | None = Field(None, description="The id that hides the number, if it is known.")
    phone_number: Annotated[str, PERSONAL] | None = Field(
        None, description="The number as WhatsApp writes it, with a plus, if it is known."
    )


class ContactsChecked(WireModel):
    """An answer for each number, in the order in which they were asked about."""

    kind: Literal["contacts"] = "contacts"
    contacts: tuple[CheckedNumber, ...]


ContactCommand = ContactCheck
"""Every command of this family."""

ContactResult = ContactsChecked
"""What they return."""
