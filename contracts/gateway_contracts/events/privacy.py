"""Events of what is stored of people."""

from typing import Literal

from gateway_contracts.envelope import SessionEventData, SessionEventEnvelope
from gateway_contracts.erasure import ErasedCounts


class ContactErasedData(SessionEventData):
    """What was erased; of whom is said by nothing but the command."""

    counts: ErasedCounts


class ContactErased(SessionEventEnvelope):
    """What was stored of a person is erased. `correlationid` is the command that has done it."""

    type: Literal["wa.contact.erased.v1"] = "wa.contact.erased.v1"
    data: ContactErasedData


PrivacyEvent = ContactErased
"""Every event of this family."""
