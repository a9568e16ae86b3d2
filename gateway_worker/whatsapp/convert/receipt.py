"""A receipt event of the library as a frame."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.people import People, address
from gateway_worker.whatsapp.convert.texts import message_id
from gateway_worker.whatsapp.ipc.frames import Receipt

STATUSES: Final = {1: "delivered", 9: "delivered", 4: "read", 6: "played"}
"""The library's number of a receipt's type: 9 is a delivery to a device that nobody looks at.

The rest says nothing about a message of ours: 2 is our own phone's copy, 3 a request to send again,
5 and 7 what the owner read elsewhere, 8, 10 and 11 serve the protocol.
"""
MAX_IDS: Final = 10_000


def receipt(event: Any, *, record: int, people: People) -> Receipt | None:
    """Return the frame of a receipt for messages of ours.

    Args:
        event: The library's `Receipt`.
        record: Its number in the spool.
        people: Who is who.
    """
    source = event.MessageSource
    status = STATUSES.get(event.Type)
    identities = tuple(text for text in event.MessageIDs[:MAX_IDS] if message_id(text))
    if status is None or source.IsFromMe or not identities:
        return None
    is_group = source.Chat.Server == "g.us"
    return Receipt(
        record=record,
        message_ids=identities,
        chat=address(source.Chat) if is_group else people.chat(source.Chat, source.SenderAlt),
        participant=people.person(source.Sender, source.SenderAlt),
        status=status,
        timestamp=event.Timestamp,
    )
