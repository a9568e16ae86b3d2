"""A message that could not be read, from the library's event or from a line of its log, as a frame.

The library has no event for a message whose key was used before: it confirms the message to
WhatsApp and writes a warning, which is all that is ever heard of it.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from gateway_worker.host_protocol.times import is_time
from gateway_worker.whatsapp.convert.message import MILLISECONDS, STATUS_CHAT, place_of
from gateway_worker.whatsapp.convert.people import People, address
from gateway_worker.whatsapp.convert.texts import message_id, stand_in
from gateway_worker.whatsapp.ipc.frames import Undecryptable

_LINE: Final = re.compile(rb"Ignoring message (\S+) from (\S+?)(?: in (\S+?))?: .*old counter")
_BETWEEN: Final = b"\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Jid:
    """A JID from a text, with the names of the library's fields."""

    User: str
    Server: str


def swallowed(line: bytes) -> bytes | None:
    """Return what a line of the log says of a message that was swallowed; None for other lines.

    The answer is for the spool: id, writer and conversation (empty if it is the writer's).
    """
    match = _LINE.search(line)
    return None if match is None else _BETWEEN.join(part or b"" for part in match.groups())


def old_counter(payload: bytes, *, record: int, people: People) -> Undecryptable | None:
    """Return the frame of a message that was swallowed.

    Args:
        payload: What `swallowed` returned.
        record: Its number in the spool.
        people: Who is who.
    """
    identity, writer, conversation = payload.decode(errors="replace").split("\x00")
    if conversation == STATUS_CHAT:
        return None
    sender = _jid(writer)
    chat = _jid(conversation) if conversation else sender
    return Undecryptable(
        record=record,
        message_id=message_id(identity) or stand_in(identity),
        chat=address(chat) if chat.Server == "g.us" else people.chat(chat),
        sender=None if sender.Server == "g.us" else people.person(sender),
        timestamp=None,
        reason="old_counter",
    )


def undecryptable(event: Any, *, record: int, people: People) -> Undecryptable | None:
    """Return the frame of a message for which there is no key (yet).

    Args:
        event: The library's `UndecryptableMessage`: `Info` says who and when.
        record: Its number in the spool.
        people: Who is who.
    """
    info = event.Info
    source = info.MessageSource
    if (place := place_of(info, people)) is None:
        return None
    identity, chat = place
    seconds = info.Timestamp // MILLISECONDS
    return Undecryptable(
        record=record,
        message_id=identity,
        chat=chat,
        sender=people.myself(source.Sender, source.SenderAlt)
        if source.IsFromMe
        else people.person(source.Sender, source.SenderAlt),
        timestamp=seconds if is_time(seconds) else None,
        reason="undecryptable",
    )


def _jid(text: str) -> _Jid:
    user, _, server = text.rpartition("@")
    return _Jid(User=user.partition(":")[0].partition(".")[0], Server=server)
