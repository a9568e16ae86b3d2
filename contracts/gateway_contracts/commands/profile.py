"""Commands about what the account shows of itself, and to whom."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.commands.done import Done
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import MediaSource
from gateway_contracts.model import FreeText, Jid, OneOfModel, WireModel


class NoProfileData(WireModel):
    """Nothing."""


class ProfileGet(CommandEnvelope):
    """Ask what the account shows of itself."""

    type: Literal["wa.profile.get.v1"] = "wa.profile.get.v1"
    data: NoProfileData = Field(default_factory=NoProfileData)


class ProfileInfo(WireModel):
    """What the account shows of itself; what it does not have is absent."""

    kind: Literal["profile"] = "profile"
    jid: Jid
    lid: Jid | None = None
    phone_number: Annotated[str, PERSONAL] | None = None
    push_name: Annotated[str, PERSONAL] | None = Field(
        None, description="What those see who have not saved the account under another name."
    )
    about: Annotated[str, PERSONAL] | None = None
    picture_id: str | None = None
    verified_name: Annotated[str, PERSONAL] | None = Field(
        None, description="Of a business, as WhatsApp has certified it."
    )


class ProfileSetData(OneOfModel):
    """The one thing that is to change."""

    one_of = ("push_name", "about", "picture")

    push_name: Annotated[FreeText, Field(min_length=1, max_length=25), PERSONAL] | None = None
    about: Annotated[FreeText, Field(max_length=139), PERSONAL] | None = Field(
        None, description="Empty: none."
    )
    picture: MediaSource | None = Field(
        None, description="Any picture; it is made square, and smaller if need be."
    )


class ProfileSet(CommandEnvelope):
    """Change what the account shows of itself: its name, its about or its picture."""

    type: Literal["wa.profile.set.v1"] = "wa.profile.set.v1"
    data: ProfileSetData


class PrivacyValue(StrEnum):
    """Who may."""

    ALL = "all"
    CONTACTS = "contacts"
    CONTACTS_EXCEPT = "contacts_except"
    """Contacts but for some, whom only the phone knows."""
    KNOWN = "known"
    """Of calls: who is no stranger."""
    MATCH_LAST_SEEN = "match_last_seen"
    """Of `online`: who may see when the account was last there."""
    NOBODY = "nobody"


class PrivacySetting(StrEnum):
    """What somebody may, or may see."""

    LAST_SEEN = "last_seen"
    ONLINE = "online"
    PICTURE = "picture"
    ABOUT = "about"
    GROUP_ADD = "group_add"
    READ_RECEIPTS = "read_receipts"
    CALL_ADD = "call_add"


class PrivacyGet(CommandEnvelope):
    """Ask who may see what of the account."""

    type: Literal["wa.privacy.get.v1"] = "wa.privacy.get.v1"
    data: NoProfileData = Field(default_factory=NoProfileData)


class PrivacySetData(WireModel):
    """One setting, and what it is to be."""

    setting: PrivacySetting
    value: PrivacyValue = Field(
        description="Of `online` `all` or `match_last_seen`, of `read_receipts` `all` or `nobody`, "
        "of `call_add` `all` or `known`; of the others `all`, `contacts`, `contacts_except` or "
        "`nobody`."
    )


class PrivacySet(CommandEnvelope):
    """Change who may see something of the account. Returns all settings as they are then."""

    type: Literal["wa.privacy.set.v1"] = "wa.privacy.set.v1"
    data: PrivacySetData


class PrivacyInfo(WireModel):
    """Who may see what; what WhatsApp does not tell, or in words that are not known, is absent."""

    kind: Literal["privacy"] = "privacy"
    settings: dict[PrivacySetting, PrivacyValue]


ProfileCommand = ProfileGet | ProfileSet | PrivacyGet | PrivacySet
"""Every command of this family."""

ProfileResult = ProfileInfo | PrivacyInfo | Done
"""What they return."""
