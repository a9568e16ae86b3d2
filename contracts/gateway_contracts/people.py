"""Who is on WhatsApp: the account of a session, and those whom it talks with."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Jid, WireModel


class Account(WireModel):
    """The WhatsApp account that a session is linked to."""

    jid: Jid
    lid: Jid | None = None
    phone_number: Annotated[str, PERSONAL] | None = None
    push_name: Annotated[str, PERSONAL] | None = None


class Participant(WireModel):
    """Somebody on WhatsApp, under the ids that are known."""

    jid: Jid
    lid: Jid | None = None
    phone_number: Annotated[str, PERSONAL] | None = None
    push_name: Annotated[str, PERSONAL] | None = None
    verified_name: Annotated[str, PERSONAL] | None = Field(
        None, description="A business's name as WhatsApp has certified it."
    )


class PresenceState(StrEnum):
    """Whether somebody is there."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
