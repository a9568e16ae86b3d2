"""What was written before the account was linked, as the contract's `history.messages` has it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from gateway_worker.host_protocol.ids import stand_in
from gateway_worker.host_protocol.times import is_time, rfc3339_or_now
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.content import Said, said
from gateway_worker.whatsapp.convert.message import beside, with_target
from gateway_worker.whatsapp.convert.people import (
    LID_SERVER,
    PHONE_SERVER,
    People,
    address,
    is_address,
    without_device,
)
from gateway_worker.whatsapp.convert.recipients import GROUP_SERVER
from gateway_worker.whatsapp.convert.references import Origin
from gateway_worker.whatsapp.convert.texts import clean, is_message_id, message_id, short

HISTORY_MESSAGES: Final = "wa.history.messages.v1"
_PERSONAL: Final = frozenset({PHONE_SERVER, LID_SERVER, "hosted", "hosted.lid", "c.us"})
_NAME_CHARACTERS: Final = 255
_STATUSES: Final = {3: "delivered", 4: "read", 5: "played"}
"""How far a message got: the library's `WebMessageInfo.Status`, as far as it is told."""
_KINDS: Final = {0: "bootstrap", 2: "full", 3: "recent", 6: "on_demand"}
"""The library's `HistorySyncType`."""
_VOTE: Final = "poll_vote"
_UNSUPPORTED: Final = "unsupported"
ENDING_KINDS: Final = frozenset({"full", "recent", "on_demand"})
"""Those whose progress says when they are over."""


def kind_of(sync_type: int) -> str:
    """Return what the contract calls a type of history."""
    return _KINDS.get(sync_type, "other")


class _Jid(NamedTuple):
    """A JID as the library's messages have it, from one that is written as text."""

    User: str
    Server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryChat:
    """The conversation that messages of a history stand in.

    Attributes:
        chat: As backends know it.
        chat_lid: The other person's LID, if it is known.
        name: What the phone calls it.
        partner: The other person; None for what is not between two people.
        is_group: Whether it is a group.
    """

    chat: str
    chat_lid: str | None
    name: str | None
    partner: Person | None
    is_group: bool

    @property
    def told(self) -> dict[str, Any]:
        """What each page says of it."""
        told = {"chat": self.chat, "is_group": self.is_group}
        more = {"chat_lid": self.chat_lid, "chat_name": self.name}
        return told | {name: value for name, value in more.items() if value is not None}


OpenPast = Callable[[Any, HistoryChat], Any]
"""Returns the library's `Message` that says in the open what one of a history hides, of its
`WebMessageInfo` and where that stands; None if it cannot be opened."""


def history_chat(
    jid: str, *, phone: str = "", lid: str = "", name: str = "", people: People
) -> HistoryChat:
    """Return a conversation.

    Args:
        jid: Its id, as the phone writes it.
        phone: The other person's phone-number JID, if the phone says it.
        lid: The other person's LID, likewise.
        name: What the phone calls it.
        people: Who is who.
    """
    found = _jid(jid)
    shown = short(name, _NAME_CHARACTERS) or None
    if found.Server not in _PERSONAL:
        is_group = found.Server == GROUP_SERVER
        return HistoryChat(
            chat=address(found), chat_lid=None, name=shown, partner=None, is_group=is_group
        )
    partner = people.person(found, _jid(phone if found.Server == LID_SERVER else lid))
    return HistoryChat(
        chat=partner.jid, chat_lid=partner.lid, name=shown, partner=partner, is_group=False
    )


def history_message(
    info: Any, chat: HistoryChat, people: People, *, open_past: OpenPast
) -> dict[str, Any] | None:
    """Return a message of a history; None if it is none that anybody wrote.

    Votes in polls are left out: what they choose only their own events could say.

    Args:
        info: The library's `WebMessageInfo`.
        chat: Where it stands.
        people: Who is who.
        open_past: Opens what is encrypted once more.
    """
    content = said(info.message, people)
    if content is None or content.content["kind"] == _VOTE:
        return None
    if content.is_sealed and (opened := open_past(info, chat)) is not None:
        plain = said(opened, people)
        content = content if plain is None or plain.content["kind"] == _UNSUPPORTED else plain
    return _told(info, content, chat, people)


def unreadable_message(info: Any, chat: HistoryChat, people: People) -> dict[str, Any]:
    """Return that there is a message of which nothing can be told but who wrote it, and when."""
    return _told(info, Said.unsupported("unreadable", is_partial=True), chat, people)


def _told(info: Any, content: Said, chat: HistoryChat, people: People) -> dict[str, Any]:
    key = info.key
    sender, is_known = _sender(info, chat, people)
    seconds = info.messageTimestamp
    origin = Origin(chat=chat.chat, sender=sender.jid, from_me=key.fromMe)
    whole, is_whole = with_target(content, origin, people)
    told: dict[str, Any] = {
        "message_id": content.identity
        or message_id(key.ID)
        or stand_in(key.ID or info.SerializePartialToString()),
        "from_me": key.fromMe,
        "sender": sender,
        "timestamp": rfc3339_or_now(seconds),
        "content": whole,
        "partial": not (is_whole and is_known and is_message_id(key.ID) and is_time(seconds)),
        **beside(content, origin, people),
    }
    if key.fromMe and (status := _STATUSES.get(info.status)) is not None:
        told["status"] = status
    return told


def _sender(info: Any, chat: HistoryChat, people: People) -> tuple[Person, bool]:
    """Return who wrote a message, and whether that is told as it is."""
    name = short(info.pushName)
    if info.key.fromMe:
        return people.myself(_jid(chat.chat)), True
    if chat.partner is not None:
        partner = chat.partner
        named = Person(
            jid=partner.jid,
            lid=partner.lid,
            phone_number=partner.phone_number,
            push_name=name or None,
        )
        return named, True
    writer = _jid(info.participant or info.key.participant)
    if not is_address(writer):
        return people.person(_jid(chat.chat)), False
    return people.person(writer, push_name=name), True


def _jid(text: str | bytes) -> _Jid:
    user, _, server = without_device(clean(text)).partition("@")
    return _Jid(user, server)
