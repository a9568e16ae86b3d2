"""A receipt event of the library as a frame."""

from typing import Any, Final

from gateway_worker.host_protocol.times import is_time
from gateway_worker.whatsapp.convert.people import People, address, is_address
from gateway_worker.whatsapp.convert.texts import is_message_id, message_id, stand_in
from gateway_worker.whatsapp.ipc.frames import Receipt

STATUSES: Final = {1: "delivered", 9: "delivered", 4: "read", 6: "played"}
"""The library's number of a receipt's type: 9 is a delivery to a device that nobody looks at.

The rest says nothing about a message of ours: 2 is our own phone's copy, 3 a request to send again,
5 and 7 what the owner read elsewhere, 8, 10 and 11 serve the protocol.
"""


def receipt(event: Any, *, record: int, people: People) -> Receipt | None:
    """Return the frame of a receipt for messages of ours.

    Args:
        event: The library's `Receipt`.
        record: Its number in the spool.
        people: Who is who.
    """
    source = event.MessageSource
    status = STATUSES.get(event.Type)
    named = [text for text in event.MessageIDs if text]
    identities = tuple(message_id(text) or stand_in(text) for text in named)
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
        partial=not (all(map(is_message_id, named)) and is_time(event.Timestamp))
        or not (is_address(source.Chat) and is_address(source.Sender)),
    )
