"""Commands about what is stored of one person, and what they return."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.erasure import ErasedCounts
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import PersonId, Timestamp, WireModel


class PersonData(WireModel):
    """Whom it is about."""

    contact: PersonId = Field(
        description="Whom it is about; the person's other ids are found, as far as the session "
        "knows them."
    )


class ContactErase(CommandEnvelope):
    """Erase what the session has stored of a person; `contact.erased` follows, too.

    What the person writes afterwards is stored again.
    """

    type: Literal["wa.contact.erase.v1"] = "wa.contact.erase.v1"
    data: PersonData


class ContactExport(CommandEnvelope):
    """Write what the session has stored of a person into a file."""

    type: Literal["wa.contact.export.v1"] = "wa.contact.export.v1"
    data: PersonData


class Erased(WireModel):
    """What was erased."""

    kind: Literal["erased"] = "erased"
    counts: ErasedCounts


class Exported(WireModel):
    """A file of JSON lines in the gateway's bucket, each with a `type`, deleted after seven days.

    `person` tells ids and names, `message` is as in `message.history`, `receipt` a status of a
    message with the person, `file` a file that came with one of the messages.
    """

    kind: Literal["export"] = "export"
    key: str = Field(max_length=1_024, description="Its object in the gateway's bucket.")
    url: Annotated[str, PERSONAL] = Field(description="Where whoever has the URL can read it.")
    url_expires_at: Timestamp
    lines: Annotated[int, Field(ge=1)]
    size: Annotated[int, Field(ge=1)] = Field(description="In bytes.")


PrivacyCommand = ContactErase | ContactExport
"""Every command of this family."""

PrivacyResult = Erased | Exported
"""What they return."""
