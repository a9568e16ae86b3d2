"""Commands that ask WhatsApp about people, and what they return."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, FailFast, Field

from gateway_contracts.commands.done import Done
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import Media
from gateway_contracts.model import (
    CONTACT_LINK_PATTERN,
    Jid,
    PageCursor,
    PageLimit,
    PersonId,
    PhoneNumber,
    Recipient,
    WireModel,
    whole,
)


class ContactCheckData(WireModel):
    """The numbers that are asked about."""

    numbers: Annotated[tuple[PhoneNumber, ...], FailFast()] = Field(min_length=1, max_length=500)
    max_age_seconds: Annotated[int, Field(ge=0, le=604_800), BeforeValidator(whole)] = Field(
        3_600,
        description="How old an answer may be that the gateway has from an earlier question of the "
        "session; 0 asks anew.",
    )


class ContactCheck(CommandEnvelope):
    """Ask which phone numbers are on WhatsApp, and how it writes them.

    Asking changes nothing; WhatsApp wants it done sparingly all the same. It is asked about 50
    numbers at a time, and with pauses between many questions.
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
    age_seconds: Annotated[int, Field(ge=0)] = Field(
        0, description="How long ago WhatsApp has said so; 0 if it was asked just now."
    )


class ContactsChecked(WireModel):
    """An answer for each number, in the order in which they were asked about."""

    kind: Literal["contacts"] = "contacts"
    contacts: tuple[CheckedNumber, ...]


class ContactLookupData(WireModel):
    """Whose other ids are wanted."""

    people: Annotated[tuple[PersonId, ...], FailFast()] = Field(min_length=1, max_length=50)
    ask: bool = Field(
        default=True,
        description="Whether WhatsApp is asked about numbers that the session does not know yet. "
        "Whose LID it is, it tells nobody.",
    )


class ContactLookup(CommandEnvelope):
    """Ask which number belongs to a LID, and which LID to a number."""

    type: Literal["wa.contact.lookup.v1"] = "wa.contact.lookup.v1"
    data: ContactLookupData


class LookedUp(WireModel):
    """One person's ids, as far as they are known."""

    person: PersonId = Field(description="As it was asked about.")
    known: bool = Field(description="Whether both ids are known: only then do they stand here.")
    jid: Jid | None = None
    lid: Jid | None = None
    phone_number: Annotated[str, PERSONAL] | None = None


class ContactsLookedUp(WireModel):
    """An answer for each person, in the order in which they were asked about."""

    kind: Literal["lookup"] = "lookup"
    people: tuple[LookedUp, ...]


class ContactInfoData(WireModel):
    """Who is asked about."""

    contact: PersonId


class ContactInfo(CommandEnvelope):
    """Ask what somebody shows of themselves."""

    type: Literal["wa.contact.info.v1"] = "wa.contact.info.v1"
    data: ContactInfoData


class ContactDetails(WireModel):
    """What somebody shows of themselves; what they hide, or do not have, is absent."""

    kind: Literal["contact"] = "contact"
    jid: Jid
    lid: Jid | None = None
    phone_number: Annotated[str, PERSONAL] | None = None
    about: Annotated[str, PERSONAL] | None = None
    verified_name: Annotated[str, PERSONAL] | None = Field(
        None, description="A business's name as WhatsApp has certified it."
    )
    picture_id: str | None = Field(
        None, description="Of the profile's picture; another one means another picture."
    )
    devices: Annotated[int, Field(ge=0)] = Field(
        0, description="How many devices the account has, its phone included."
    )


class ContactPictureData(WireModel):
    """Whose picture is wanted, and in which form."""

    contact: Recipient
    preview: bool = Field(default=False, description="The small one.")
    store: bool = Field(
        default=False,
        description="Whether it is to be in the gateway's bucket too, for as long as files of "
        "messages are.",
    )


class ContactPicture(CommandEnvelope):
    """Ask for the picture of a person or a group."""

    type: Literal["wa.contact.picture.v1"] = "wa.contact.picture.v1"
    data: ContactPictureData


class PictureState(StrEnum):
    """Whether there is a picture to be seen."""

    AVAILABLE = "available"
    NONE = "none"
    """There is none."""
    HIDDEN = "hidden"
    """The account is not among those who may see it."""


class PictureInfo(WireModel):
    """A picture of somebody, as far as it is shown."""

    kind: Literal["picture"] = "picture"
    state: PictureState
    picture_id: str | None = None
    url: Annotated[str, PERSONAL] | None = Field(
        None, description="At WhatsApp; it ends after some days."
    )
    media: Media | None = Field(None, description="In the gateway's bucket, if that was wished.")


class ContactBlockData(WireModel):
    """Who is blocked, or no longer."""

    contact: PersonId


class ContactBlock(CommandEnvelope):
    """Let nothing from somebody through any more. Somebody who is blocked stays so."""

    type: Literal["wa.contact.block.v1"] = "wa.contact.block.v1"
    data: ContactBlockData


class ContactUnblock(CommandEnvelope):
    """Undo `contact.block`. Somebody who is not blocked stays so."""

    type: Literal["wa.contact.unblock.v1"] = "wa.contact.unblock.v1"
    data: ContactBlockData


class ContactBlocklistData(WireModel):
    """Which part of the list is wanted."""

    limit: PageLimit = 50
    cursor: PageCursor | None = None


class ContactBlocklist(CommandEnvelope):
    """Ask whom the account has blocked, on whichever of its devices."""

    type: Literal["wa.contact.blocklist.v1"] = "wa.contact.blocklist.v1"
    data: ContactBlocklistData = Field(default_factory=ContactBlocklistData)


class BlockedContact(WireModel):
    """Somebody who is blocked, under the ids that are known."""

    jid: Jid
    lid: Jid | None = None
    phone_number: Annotated[str, PERSONAL] | None = None


class Blocklist(WireModel):
    """A page of those who are blocked."""

    kind: Literal["blocklist"] = "blocklist"
    contacts: tuple[BlockedContact, ...]
    next_cursor: PageCursor | None = Field(None, description="Absent on the last page.")


class ContactLinkData(WireModel):
    """Whose link: the account's own, or one that is to be followed."""

    link: Annotated[str, PERSONAL] | None = Field(
        None,
        max_length=512,
        pattern=CONTACT_LINK_PATTERN,
        description="A link of somebody else (`https://wa.me/qr/…`, `https://wa.me/message/…`) of "
        "which you want to know whose it is; absent, the account's own is told.",
    )
    revoke: bool = Field(
        default=False,
        description="Whether the account's own link so far is to end; without `link` only.",
    )


class ContactLink(CommandEnvelope):
    """Ask for the link that others reach the account by, or whose link it is."""

    type: Literal["wa.contact.link.v1"] = "wa.contact.link.v1"
    data: ContactLinkData = Field(default_factory=ContactLinkData)


class ContactLinkInfo(WireModel):
    """A link, and of somebody else's whose it is."""

    kind: Literal["contact_link"] = "contact_link"
    link: Annotated[str, PERSONAL]
    jid: Jid | None = Field(None, description="Whose link it is, if that was asked.")
    push_name: Annotated[str, PERSONAL] | None = None
    verified_name: Annotated[str, PERSONAL] | None = None
    greeting: Annotated[str, PERSONAL] | None = Field(
        None, description="What the link begins the chat with."
    )


ContactCommand = (
    ContactCheck
    | ContactLookup
    | ContactInfo
    | ContactPicture
    | ContactBlock
    | ContactUnblock
    | ContactBlocklist
    | ContactLink
)
"""Every command of this family."""

ContactResult = (
    ContactsChecked
    | ContactsLookedUp
    | ContactDetails
    | PictureInfo
    | Blocklist
    | ContactLinkInfo
    | Done
)
"""What they return."""
