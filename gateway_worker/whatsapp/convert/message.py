"""A message event of the library as an event of the contract."""

from typing import Any, Final

import msgspec

from gateway_worker.host_protocol.ids import stand_in
from gateway_worker.host_protocol.times import is_time, rfc3339_or_now
from gateway_worker.whatsapp.convert.arrival import Arrival, message_type
from gateway_worker.whatsapp.convert.channels import changed
from gateway_worker.whatsapp.convert.chats import CHANNEL_SERVER, STATUS_CHAT
from gateway_worker.whatsapp.convert.content import Said, said
from gateway_worker.whatsapp.convert.kinds import EVENTS
from gateway_worker.whatsapp.convert.people import People, address, is_address
from gateway_worker.whatsapp.convert.references import Origin, reference
from gateway_worker.whatsapp.convert.texts import is_message_id, message_id, short

UNKNOWN_CHAT: Final = "unknown"
"""For a message that names no conversation."""
_PERSONAL: Final = frozenset({"s.whatsapp.net", "lid", "hosted", "hosted.lid", "c.us"})
"""The servers of people."""
MILLISECONDS: Final = 1_000
"""The library gives a message's time in milliseconds and a receipt's in seconds."""


def message(event: Any, *, offline: bool, people: People) -> Arrival | None:
    """Return what is told of a message; None if it is not for backends.

    Args:
        event: The library's `Message`: `Info` says who and when, `Message` what.
        offline: Whether it had waited at WhatsApp.
        people: Who is who.
    """
    content = changed(event, said(event.Message, people, is_view_once=_is_view_once(event)))
    if content is None:
        return None
    arrival = told(event, content, offline=offline, people=people)
    if event.RetryCount > 0:  # in answer to this device, as the sender's device says
        arrival.data.update({"recovered_after": event.RetryCount})
    return arrival


def told(event: Any, content: Said, *, offline: bool, people: People) -> Arrival:
    """Return what is told of a message whose content has been read, as far as that was possible.

    Args:
        event: The library's message event; only its `Info` is read, and for a message without an
            id whatever else there is.
        content: What it says.
        offline: Whether it had waited at WhatsApp.
        people: Who is who.
    """
    info = event.Info
    source = info.MessageSource
    identity, chat = place_of(info, people)
    sender = (
        people.myself(source.Sender, source.SenderAlt)
        if source.IsFromMe
        else people.person(source.Sender, source.SenderAlt, push_name=info.Pushname)
    )
    if verified := short(info.VerifiedName.Details.verifiedName):
        sender = msgspec.structs.replace(sender, verified_name=verified)
    seconds = info.Timestamp // MILLISECONDS
    origin = Origin(chat=chat, sender=sender.jid, from_me=source.IsFromMe)
    whole, is_whole = with_target(content, origin, people)
    data: dict[str, Any] = {
        # Nothing else tells messages without an id apart.
        "message_id": content.identity
        or (identity if info.ID else stand_in(event.SerializePartialToString())),
        "chat": chat,
        "chat_lid": chat_lid_of(source, people),
        "sender": sender,
        "is_group": _is_group(source),
        "timestamp": rfc3339_or_now(seconds),
        "content": whole,
        "offline": offline,
        "partial": not is_whole
        or not (is_message_id(info.ID) and is_time(seconds))
        or not (is_address(source.Chat) and is_address(source.Sender)),
        **beside(content, origin, people),
    }
    if source.Chat.Server == CHANNEL_SERVER and info.ServerID > 0:
        data["server_id"] = info.ServerID
    if (event_type := EVENTS.get(whole["kind"])) is not None:
        data["from_me"] = source.IsFromMe
        return Arrival(type=event_type, data=data, is_sealed=content.is_sealed)
    type_ = message_type(chat, from_me=bool(source.IsFromMe))
    return Arrival(type=type_, data=data, media=content.media, is_sealed=content.is_sealed)


def _is_view_once(event: Any) -> bool:
    """Whether the library has taken a message out of a wrapper that says so."""
    return bool(event.IsViewOnce or event.IsViewOnceV2 or event.IsViewOnceV2Extension)


def with_target(content: Said, origin: Origin, people: People) -> tuple[dict[str, Any], bool]:
    """Return a content with what it is about, and whether all of it is told as it is."""
    if content.about is None:
        return content.content, not content.is_partial
    target, is_whole = reference(content.about, origin, people)
    return {**content.content, "target": target}, is_whole and not content.is_partial


def beside(content: Said, origin: Origin, people: People) -> dict[str, Any]:
    """Return what is told beside a content; a comment that quotes nothing answers what it is on."""
    if content.comment_on is None:
        return content.envelope
    target, _ = reference(content.comment_on, origin, people)
    answered = {name: value for name, value in target.items() if name != "chat"}
    return {"reply_to": answered, **content.envelope, "comment_on": target["message_id"]}


def _is_group(source: Any) -> bool:
    return bool(source.Chat.Server == "g.us")


def place_of(info: Any, people: People) -> tuple[str, str]:
    """Return a message's id and its conversation as backends know it.

    Args:
        info: The library's `MessageInfo`.
        people: Who is who.
    """
    identity, chat = message_id(info.ID) or stand_in(info.ID), _chat_of(info.MessageSource, people)
    return identity, chat or UNKNOWN_CHAT


def chat_lid_of(source: Any, people: People) -> str | None:
    """Return the LID of the other person of a conversation; None for a group, or if not known."""
    if _is_group(source) or source.Chat.Server not in _PERSONAL:
        return None
    if source.IsFromMe:
        return people.person(source.Chat, source.RecipientAlt).lid
    return people.person(source.Chat, source.SenderAlt).lid


def _chat_of(source: Any, people: People) -> str:
    if _is_group(source) or address(source.Chat) == STATUS_CHAT:
        return address(source.Chat)
    if source.IsFromMe:
        return people.chat(source.Chat, source.RecipientAlt)
    if source.Chat.Server == "broadcast":  # a broadcast list: it shows up in the writer's chat
        return people.chat(source.Sender, source.SenderAlt)
    return people.chat(source.Chat, source.SenderAlt)
