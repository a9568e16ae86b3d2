"""A message event of the library as a frame."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.content import said
from gateway_worker.whatsapp.convert.people import People, address
from gateway_worker.whatsapp.convert.texts import message_id
from gateway_worker.whatsapp.ipc.frames import Message

STATUS_CHAT: Final = "status@broadcast"
"""Where contacts post stories; they are not addressed to the account and are not announced."""
MILLISECONDS: Final = 1_000
"""The library gives a message's time in milliseconds and a receipt's in seconds."""


def message(event: Any, *, record: int, offline: bool, people: People) -> Message | None:
    """Return the frame of a message.

    Args:
        event: The library's `Message`: `Info` says who and when, `Message` what.
        record: Its number in the spool.
        offline: Whether it had waited at WhatsApp.
        people: Who is who.
    """
    info = event.Info
    source = info.MessageSource
    if (place := place_of(info, people)) is None:
        return None
    if (content := said(event.Message, people)) is None:
        return None
    identity, chat = place
    sender = (
        people.myself(source.Sender, source.SenderAlt)
        if source.IsFromMe
        else people.person(source.Sender, source.SenderAlt, push_name=info.Pushname)
    )
    return Message(
        record=record,
        message_id=identity,
        chat=chat,
        sender=sender,
        from_me=source.IsFromMe,
        is_group=_is_group(source),
        timestamp=info.Timestamp // MILLISECONDS,
        kind=content.kind,
        text=content.text,
        mentions=content.mentions,
        quoted_id=content.quoted_id,
        quoted_participant=content.quoted_participant,
        offline=offline,
    )


def _is_group(source: Any) -> bool:
    return bool(source.Chat.Server == "g.us")


def place_of(info: Any, people: People) -> tuple[str, str] | None:
    """Return a message's id and its conversation as backends know it; None if it is not for them.

    Args:
        info: The library's `MessageInfo`.
        people: Who is who.
    """
    identity, chat = message_id(info.ID), _chat_of(info.MessageSource, people)
    return None if identity is None or chat == STATUS_CHAT else (identity, chat)


def _chat_of(source: Any, people: People) -> str:
    if _is_group(source) or address(source.Chat) == STATUS_CHAT:
        return address(source.Chat)
    if source.IsFromMe:
        return people.chat(source.Chat, source.RecipientAlt)
    if source.Chat.Server == "broadcast":  # a broadcast list: it shows up in the writer's chat
        return people.chat(source.Sender, source.SenderAlt)
    return people.chat(source.Chat, source.SenderAlt)
