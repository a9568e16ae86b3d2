"""Who is on WhatsApp: the account of a session, and those whom it talks with."""

from gateway_contracts.model import Jid, WireModel


class Account(WireModel):
    """The WhatsApp account that a session is linked to."""

    jid: Jid
    lid: Jid | None = None
    phone_number: str | None = None
    push_name: str | None = None


class Participant(WireModel):
    """Somebody on WhatsApp, under the ids that are known."""

    jid: Jid
    lid: Jid | None = None
    phone_number: str | None = None
    push_name: str | None = None
