"""A message that could not be read, from the library's event or a line of its log, as an event.

The library has no event for a message whose key was used before: it confirms the message to
WhatsApp and writes a warning, which is all that is ever heard of it.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from gateway_worker.host_protocol.ids import stand_in
from gateway_worker.host_protocol.times import is_time, rfc3339
from gateway_worker.whatsapp.convert.arrival import MESSAGE_UNDECRYPTABLE, Arrival
from gateway_worker.whatsapp.convert.message import MILLISECONDS, chat_lid_of, place_of
from gateway_worker.whatsapp.convert.people import People, address
from gateway_worker.whatsapp.convert.texts import message_id

# A message's id is its sender's, and may hold whatever the rest of such a line holds: the last
# "from" is the library's.
_LINE: Final = re.compile(
    rb"Ignoring message (.*) from (\S+?)(?: in (\S+?))?: [^\n]*old counter", re.DOTALL
)
_SHARED: Final = frozenset({"g.us", "broadcast"})
"""The servers of conversations of more than two."""
_BETWEEN: Final = b"\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Jid:
    """A JID from a text, with the names of the library's fields."""

    User: str
    Server: str


def swallowed(line: bytes) -> bytes | None:
    """Return what a line of the log says of a message that was swallowed; None for other lines.

    The answer is for the spool: id, writer and conversation (empty if it is the writer's).

    Args:
        line: The text of an entry.
    """
    match = _LINE.match(line)
    return None if match is None else _BETWEEN.join(part or b"" for part in match.groups())


def old_counter(payload: bytes, *, people: People) -> Arrival:
    """Return what is told of a message that was swallowed.

    Args:
        payload: What `swallowed` returned.
        people: Who is who.
    """
    identity, writer, conversation = payload.decode(errors="replace").rsplit("\x00", 2)
    sender = _jid(writer)
    chat = _jid(conversation) if conversation else sender
    return Arrival(
        type=MESSAGE_UNDECRYPTABLE,
        data={
            "message_id": message_id(identity) or stand_in(identity),
            "chat": address(chat) if chat.Server in _SHARED else people.chat(chat),
            "sender": None if sender.Server == "g.us" else people.person(sender).jid,
            "reason": "old_counter",
        },
    )


def undecryptable(event: Any, *, people: People) -> Arrival:
    """Return what is told of a message for which there is no key (yet).

    Args:
        event: The library's `UndecryptableMessage`: `Info` says who and when.
        people: Who is who.
    """
    info = event.Info
    source = info.MessageSource
    identity, chat = place_of(info, people)
    seconds = info.Timestamp // MILLISECONDS
    sender = (
        people.myself(source.Sender, source.SenderAlt)
        if source.IsFromMe
        else people.person(source.Sender, source.SenderAlt)
    )
    return Arrival(
        type=MESSAGE_UNDECRYPTABLE,
        data={
            "message_id": identity,
            "chat": chat,
            "chat_lid": chat_lid_of(source, people),
            "sender": sender.jid,
            "timestamp": rfc3339(seconds) if is_time(seconds) else None,
            # WhatsApp keeps nothing else from linked devices, as far as anybody knows.
            "reason": "view_once" if event.IsUnavailable else "undecryptable",
        },
    )


def _jid(text: str) -> _Jid:
    user, _, server = text.rpartition("@")
    return _Jid(User=user.partition(":")[0].partition(".")[0], Server=server)
