"""What one may ask of the history: it is read from the database, whatever the session does."""

from gateway_contracts import (
    ChatList,
    ChatPage,
    ContactList,
    ContactPage,
    MessageHistory,
    MessagePage,
    MessageStatus,
    MessageStatusInfo,
)
from gateway_worker.commands.handlers.effect import Context, Handler, looked_up
from gateway_worker.errors import GatewayError
from gateway_worker.history.reading import History


async def messages(context: Context, command: MessageHistory) -> MessagePage:
    """Return a page of the messages."""
    return await _history(context).messages(command.subject, command.data)


async def status(context: Context, command: MessageStatus) -> MessageStatusInfo:
    """Return how far a message has got."""
    return await _history(context).status(command.subject, command.data)


async def chats(context: Context, command: ChatList) -> ChatPage:
    """Return a page of the chats."""
    return await _history(context).chats(command.subject, command.data)


async def people(context: Context, command: ContactList) -> ContactPage:
    """Return a page of the people; their names are on the disk of whoever runs the session."""
    session = context.manager.registry.held_session(command.subject)
    return await _history(context).people(
        command.subject, command.data, directory=None if session is None else session.directory
    )


def _history(context: Context) -> History:
    if context.history is None:
        raise GatewayError("this worker cannot read the history")
    return context.history


HANDLERS: dict[str, Handler] = {
    "wa.message.history.v1": looked_up(messages),
    "wa.message.status.v1": looked_up(status),
    "wa.chat.list.v1": looked_up(chats),
    "wa.contact.list.v1": looked_up(people),
}
