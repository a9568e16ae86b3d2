"""Events of the library about contacts, as events of the contract."""

from typing import Any, Final

from gateway_worker.host_protocol.times import is_time, rfc3339_or_now
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People, is_address

CONTACT_UPDATED: Final = "wa.contact.updated.v1"


def picture(event: Any, *, people: People) -> Arrival:
    """Return what is told of somebody's new picture; see `_updated`."""
    return _updated(event, "picture_removed" if event.Remove else "picture", people)


def identity(event: Any, *, people: People) -> Arrival:
    """Return what is told of somebody's new keys; see `_updated`."""
    return _updated(event, "identity", people)


def _updated(event: Any, change: str, people: People) -> Arrival:
    contact = people.person(event.JID)
    return Arrival(
        type=CONTACT_UPDATED,
        data={
            "chat": contact.jid,
            "chat_lid": contact.lid,
            "contact": contact,
            "change": change,
            "timestamp": rfc3339_or_now(event.Timestamp),
            "partial": not (is_time(event.Timestamp) and is_address(event.JID)),
        },
    )
