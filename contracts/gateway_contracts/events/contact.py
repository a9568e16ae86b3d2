"""Events of contacts: what has changed about somebody."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from gateway_contracts.envelope import ChatEventData, SessionEventEnvelope
from gateway_contracts.model import Jid, Timestamp
from gateway_contracts.people import Participant


class ContactChange(StrEnum):
    """What has changed."""

    PICTURE = "picture"
    """There is another picture; `contact.picture` tells where."""
    PICTURE_REMOVED = "picture_removed"
    IDENTITY = "identity"
    """The keys: a new phone, or WhatsApp was installed anew."""


class ContactUpdatedData(ChatEventData):
    """Whom it is about, and what."""

    chat: Jid = Field(description="The conversation with them.")
    contact: Participant
    change: ContactChange
    timestamp: Timestamp = Field(description="WhatsApp's time.")
    partial: bool = Field(
        default=False, description="As in `message.received`: something of it did not fit."
    )


class ContactUpdated(SessionEventEnvelope):
    """Something has changed about a person whom the account talks with, or about itself."""

    type: Literal["wa.contact.updated.v1"] = "wa.contact.updated.v1"
    data: ContactUpdatedData


ContactEvent = ContactUpdated
"""Every event of this family."""
