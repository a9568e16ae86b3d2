"""Events of the library about presence, as events of the contract."""

from typing import Any, Final

from gateway_worker.host_protocol.times import is_time, rfc3339_or_now
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People, address

PRESENCE_CHANGED: Final = "wa.presence.changed.v1"
PRESENCE_TYPING: Final = "wa.presence.typing.v1"
_COMPOSING: Final = 1
_AUDIO: Final = 2


def changed(event: Any, *, people: People) -> Arrival:
    """Return what is told of somebody who has come or gone.

    Args:
        event: The library's `Presence`.
        people: Who is who.
    """
    contact = people.person(event.From)
    seen = event.LastSeen if event.Unavailable and is_time(event.LastSeen) else None
    return Arrival(
        type=PRESENCE_CHANGED,
        data={
            "chat": contact.jid,
            "chat_lid": contact.lid,
            "contact": contact,
            "state": "unavailable" if event.Unavailable else "available",
            "last_seen": None if seen is None else rfc3339_or_now(seen),
        },
    )


def typing(event: Any, *, people: People) -> Arrival | None:
    """Return what is told of somebody who does something in a chat; None if it is the account.

    Args:
        event: The library's `ChatPresence`.
        people: Who is who.
    """
    source = event.MessageSource
    if source.IsFromMe:
        return None
    contact = people.person(source.Sender, source.SenderAlt)
    state = "paused"
    if event.State == _COMPOSING:
        state = "recording" if event.Media == _AUDIO else "typing"
    return Arrival(
        type=PRESENCE_TYPING,
        data={
            "chat": address(source.Chat) if source.IsGroup else contact.jid,
            "chat_lid": None if source.IsGroup else contact.lid,
            "contact": contact,
            "state": state,
            "is_group": source.IsGroup,
        },
    )
