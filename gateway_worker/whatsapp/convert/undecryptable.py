"""A message that could not be read, from the library's event or a line of its log, as an event.

The library has no event for a message whose key was used before: it confirms the message to
WhatsApp and writes a warning, which is all that is ever heard of it.
"""

from dataclasses import dataclass
from typing import Any, Final

from gateway_worker.host_protocol.ids import stand_in
from gateway_worker.host_protocol.times import is_time, rfc3339
from gateway_worker.whatsapp.convert.arrival import MESSAGE_UNDECRYPTABLE, Arrival
from gateway_worker.whatsapp.convert.log_entries import about_message
from gateway_worker.whatsapp.convert.message import MILLISECONDS, chat_lid_of, place_of
from gateway_worker.whatsapp.convert.people import People, address
from gateway_worker.whatsapp.convert.texts import message_id

_SWALLOWED: Final = b"Ignoring message "
_OLD_COUNTER: Final = b"old counter"
_ID_BYTES: Final = 1_024
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
    found = about_message(line, _SWALLOWED)
    if found is None or _OLD_COUNTER not in found.matter:
        return None
    return _BETWEEN.join((found.message_id[:_ID_BYTES], found.writer, found.conversation))


def id_of(payload: bytes) -> str | None:
    """Return the id in what `swallowed` returned; None if it is none that the contract takes."""
    return message_id(payload.rsplit(_BETWEEN, 2)[0].decode(errors="replace"))


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
