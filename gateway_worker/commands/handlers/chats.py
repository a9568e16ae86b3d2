"""What one may do in a chat beside sending."""

from datetime import UTC, datetime
from typing import Final

from gateway_contracts import ChatMarkRead, ChatSetTimer, ChatTyping, Done
from gateway_worker.commands.chat_order import order_of
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs
from gateway_worker.commands.lanes import Lane, Order
from gateway_worker.errors import InvalidCommandError
from gateway_worker.host_protocol.methods.chats import (
    MarkRead,
    SetDefaultTimer,
    SetTimer,
    ShowTyping,
)
from gateway_worker.sessions.changes import ReadMark, TimerRow
from gateway_worker.sessions.chats import is_person

_NO_ORDER: Final = Order(marks=frozenset(), waits_for=frozenset())


async def mark_read(context: Context, command: ChatMarkRead) -> Effect:
    """Tell that messages have been read; once more tells nothing new."""
    data = command.data
    if data.sender is None and not is_person(data.chat):
        raise InvalidCommandError(
            "in a group it has to be said who has written the messages", pointer="/data/sender"
        )
    session = await context.manager.find(command.subject)
    done = await session.request(
        MarkRead(
            chat=data.chat.removeprefix("+"),
            message_ids=data.message_ids,
            sender=None if data.sender is None else data.sender.removeprefix("+"),
            is_played=data.played,
            typing_seconds=data.typing_seconds,
        ),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    read = ReadMark(chat=done.chat, message_ids=data.message_ids, at=datetime.now(UTC))
    return Effect(result=Done(), session=session, read=read)


async def show_typing(context: Context, command: ChatTyping) -> Effect:
    """Show what the account does in a chat."""
    data = command.data
    session = await context.manager.find(command.subject)
    await session.request(
        ShowTyping(chat=data.chat.removeprefix("+"), state=data.state.value, seconds=data.seconds),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    return Effect(result=Done(), session=session)


async def set_timer(context: Context, command: ChatSetTimer) -> Effect:
    """Set when messages disappear; what is sent to that chat from now on says the same."""
    data = command.data
    session = await context.manager.find(command.subject)
    seconds_left = context.seconds_left()
    if data.chat is None:
        await session.request(
            SetDefaultTimer(seconds=data.seconds), command_id=command.id, seconds=seconds_left
        )
        return Effect(result=Done(), session=session)
    done = await session.request(
        SetTimer(chat=data.chat.removeprefix("+"), seconds=data.seconds),
        command_id=command.id,
        seconds=seconds_left,
    )
    row = TimerRow(chat=done.chat, seconds=data.seconds, set_at=datetime.now(UTC))
    session.timers.note(row)
    return Effect(result=Done(), session=session, timer=row)


def _order(command: ChatSetTimer) -> Order:
    chat = command.data.chat
    return _NO_ORDER if chat is None else order_of(chat)


HANDLERS: dict[str, Handler] = {
    "wa.chat.mark_read.v1": Handler(run=mark_read, lane=Lane.GESTURES, needs=Needs.CONNECTION),
    "wa.chat.typing.v1": Handler(run=show_typing, lane=Lane.GESTURES, needs=Needs.CONNECTION),
    # To a person it is a message, and what is sent afterwards has to say the same.
    "wa.chat.set_timer.v1": Handler(
        run=set_timer, lane=Lane.SENDS, order=_order, needs=Needs.CONNECTION
    ),
}
