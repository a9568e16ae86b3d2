"""Chats: what has been read there, what is shown of the account, and when messages disappear."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from neonize.utils.enum import ChatPresence, ChatPresenceMedia, ReceiptType

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.methods.chats import (
    PAUSED,
    RECORDING,
    TYPING,
    InChat,
    MarkRead,
    SetDefaultTimer,
    SetTimer,
    ShowTyping,
)
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.whatsapp.convert.failures import query_failure, send_failure
from gateway_worker.whatsapp.convert.recipients import GROUP_SERVER, RecipientError, recipient
from gateway_worker.whatsapp.host.jids import parse_jid
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask
from gateway_worker.whatsapp.host.sending import Identity, SendFailedError

_SHOWN: Final = {
    TYPING: (ChatPresence.CHAT_PRESENCE_COMPOSING, ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT),
    RECORDING: (ChatPresence.CHAT_PRESENCE_COMPOSING, ChatPresenceMedia.CHAT_PRESENCE_MEDIA_AUDIO),
    PAUSED: (ChatPresence.CHAT_PRESENCE_PAUSED, ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT),
}
_NANOSECONDS: Final = 1_000_000_000


def mark_read(tools: Tools, _request: Request, call: MarkRead) -> InChat:
    """Tell that messages have been read, and show that an answer is being written."""
    known = _identity(tools, call.chat)
    chat = known.lid or known.jid
    sender = chat if call.sender is None else _place(tools, call.sender)
    receipt = ReceiptType.PLAYED if call.is_played else ReceiptType.READ
    ask(
        lambda: tools.library.client.mark_read(
            *call.message_ids, chat=parse_jid(chat), sender=parse_jid(sender), receipt=receipt
        ),
        "the read receipt",
    )
    if call.typing_seconds:
        _show(tools, chat, TYPING, call.typing_seconds)
    return InChat(chat=known.jid)


def show_typing(tools: Tools, _request: Request, call: ShowTyping) -> Done:
    """Show what the account does in a chat."""
    _show(tools, _place(tools, call.chat), call.state, call.seconds)
    return Done()


def set_timer(tools: Tools, _request: Request, call: SetTimer) -> InChat:
    """Set when the messages of a chat disappear: in a group a query, to a person a message."""
    known = _identity(tools, call.chat)

    def give(to: str) -> None:
        said = tools.library.entry(
            "SetDisappearingTimer",
            parse_jid(to),
            call.seconds * _NANOSECONDS,
            int(time.time() * 1000),
        )
        if said:
            raise SendFailedError(_timer_failure(said.decode(errors="replace"), to))

    tools.sender.reaching(known.asked, give)
    return InChat(chat=known.jid)


def set_default_timer(tools: Tools, _request: Request, call: SetDefaultTimer) -> Done:
    """Set when the messages of new chats disappear."""
    nanoseconds = call.seconds * _NANOSECONDS
    ask(
        lambda: tools.library.client.set_default_disappearing_timer(nanoseconds),
        "the timer of new chats",
    )
    return Done()


def _timer_failure(text: str, to: str) -> Failure:
    """Return what an error means; a timer that may have been set may be set once more."""
    if to.endswith(f"@{GROUP_SERVER}"):
        return query_failure(text, "the group's timer")
    failure = send_failure(text)
    if failure.kind == FailureKind.UNCERTAIN:
        return Failure(kind=FailureKind.TIMED_OUT, detail=failure.detail)
    return failure


def _show(tools: Tools, chat: str, state: str, seconds: int | None) -> None:
    client, jid = tools.library.client, parse_jid(chat)
    ask(lambda: client.send_chat_presence(jid, *_SHOWN[state]), "what is shown in the chat")
    if seconds is None or state == PAUSED:
        tools.typing.forget(chat)
        return

    def end() -> None:
        with suppress(Exception):  # the connection is lost, and so is what was shown
            client.send_chat_presence(jid, *_SHOWN[PAUSED])

    tools.typing.after(chat, seconds, end)


def _place(tools: Tools, text: str) -> str:
    """Return the id under which messages of a chat, or of a writer, come today."""
    known = _identity(tools, text)
    return known.lid or known.jid


def _identity(tools: Tools, text: str) -> Identity:
    try:
        to = recipient(text)
    except RecipientError as error:
        raise SendFailedError(Failure(kind=FailureKind.INVALID, detail=str(error))) from None
    if to.endswith(f"@{GROUP_SERVER}"):
        return Identity(asked=to, jid=to)
    return tools.sender.person(to)


RUNS: Final[Mapping[type[Any], Run]] = {
    MarkRead: mark_read,
    ShowTyping: show_typing,
    SetTimer: set_timer,
    SetDefaultTimer: set_default_timer,
}
