"""A receipt event of the library as events of the contract, one for each message it names."""

from collections.abc import Sequence
from typing import Any, Final

from gateway_worker.host_protocol.ids import stand_in
from gateway_worker.host_protocol.times import is_time, rfc3339_or_now
from gateway_worker.whatsapp.convert.arrival import CHAT_READ, MESSAGE_RECEIPT, Arrival
from gateway_worker.whatsapp.convert.chats import STATUS_CHAT
from gateway_worker.whatsapp.convert.message import chat_lid_of
from gateway_worker.whatsapp.convert.people import People, address, is_address
from gateway_worker.whatsapp.convert.texts import is_message_id, message_id

STATUSES: Final = {1: "delivered", 9: "delivered", 4: "read", 6: "played"}
"""The library's number of a receipt's type: 9 is a delivery to a device that nobody looks at.

The rest says nothing about a message of ours: 2 is our own phone's copy, 3 a request to send again,
5 and 7 what the owner read elsewhere, 8, 10 and 11 serve the protocol.
"""
RETRY: Final = 3
READ_ELSEWHERE: Final = frozenset({4, 5})
"""Of a receipt of the account's own devices: the owner has read something; 5 if senders are not to
know."""


def receipt(event: Any, *, people: People) -> tuple[Arrival, ...]:
    """Return what is told of a receipt: nothing if it serves the protocol only.

    Args:
        event: The library's `Receipt`.
        people: Who is who.
    """
    source = event.MessageSource
    status = STATUSES.get(event.Type)
    named = [text for text in event.MessageIDs if text]
    if source.IsFromMe and event.Type in READ_ELSEWHERE and named:
        is_status = address(source.Chat) == STATUS_CHAT
        return () if is_status else (_read_elsewhere(event, named, people),)
    if status is None or source.IsFromMe or not named:
        return ()
    # Of a status post of ours it is the viewer who tells, and not in a chat with the viewer.
    is_shared = source.Chat.Server == "g.us" or address(source.Chat) == STATUS_CHAT
    data: dict[str, Any] = {
        "chat": address(source.Chat) if is_shared else people.chat(source.Chat, source.SenderAlt),
        "chat_lid": chat_lid_of(source, people),
        "status": status,
        "participant": people.person(source.Sender, source.SenderAlt),
        "timestamp": rfc3339_or_now(event.Timestamp),
        "partial": not (all(map(is_message_id, named)) and is_time(event.Timestamp))
        or not (is_address(source.Chat) and is_address(source.Sender)),
    }
    return tuple(
        Arrival(
            type=MESSAGE_RECEIPT,
            data={"message_id": message_id(text) or stand_in(text), **data},
        )
        for text in named
    )


def _read_elsewhere(event: Any, named: Sequence[str], people: People) -> Arrival:
    source = event.MessageSource
    data = {
        "chat": address(source.Chat) if source.Chat.Server == "g.us" else people.chat(source.Chat),
        "chat_lid": chat_lid_of(source, people),
        "message_ids": [message_id(text) or stand_in(text) for text in named],
        "timestamp": rfc3339_or_now(event.Timestamp),
    }
    return Arrival(type=CHAT_READ, data=data)
