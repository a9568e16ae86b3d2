"""The messages that a command names by their ids, as the session's history has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway_worker.commands.handlers.effect import Context
from gateway_worker.errors import InvalidCommandError
from gateway_worker.host_protocol.methods.messages import FindChats
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import Direction, MessageRow
from gateway_worker.sessions.chats import (
    can_be_id,
    chat_of,
    is_person,
    spellings_of,
    without_device,
)
from gateway_worker.sessions.session.session import Session


class Named(Protocol):
    """A message as a command names it: a `MessageTarget` of the contract."""

    @property
    def message_id(self) -> str:
        """Its id."""
        ...

    @property
    def participant(self) -> str | None:
        """Who wrote it, if the backend says so."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A message that is named, with its writer.

    Attributes:
        message_id: Its id.
        participant: The writer's JID.
        from_me: Whether that is the account itself.
        row: What the history has of it; None if it is not there.
    """

    message_id: str
    participant: str
    from_me: bool
    row: MessageRow | None

    @property
    def kind(self) -> str | None:
        """What kind of message it is, if that is known."""
        return None if self.row is None else self.row.content.kind

    def fields(self) -> dict[str, Any]:
        """Return it as contents tell it."""
        return {
            "message_id": self.message_id,
            "participant": self.participant,
            "from_me": self.from_me,
        }


async def find_target(
    context: Context, session: Session, to: str, named: Named, *, pointer: str
) -> Target:
    """Return the message of a chat that is meant; an id says that only with chat and writer.

    Args:
        context: What handlers work with.
        session: Whose history it is.
        to: The recipient, whose chat it is in.
        named: The message.
        pointer: Where the command names it.

    Raises:
        InvalidCommandError: Its writer is not known, or several members of a group have used the
            id.
    """
    check_id(named.participant, pointer=f"{pointer}/participant")
    row = await _find(context, session, to, named, pointer)
    participant = named.participant or (row.sender if row else None)
    if participant is None:
        raise InvalidCommandError(
            "the chat that this goes to has no such message in the session's history; "
            "name its participant if it was there before",
            pointer=f"{pointer}/message_id",
        )
    is_sent = row is not None and row.direction is Direction.OUT
    return Target(
        message_id=named.message_id,
        participant=without_device(participant),
        from_me=is_sent or _is_own(session, participant),
        row=row,
    )


def check_id(text: str | None, *, pointer: str) -> None:
    """Refuse what is no id, if anything is given.

    Raises:
        InvalidCommandError: It is none.
    """
    if text is not None and not can_be_id(text):
        raise InvalidCommandError("is no WhatsApp id, and no number either", pointer=pointer)


def names_the_account(session: Session, contact: str) -> bool:
    """Whether somebody whom a command names is the account itself."""
    return any(_is_own(session, one) for one in spellings_of(chat_of(contact)))


def _is_own(session: Session, jid: str) -> bool:
    account = session.account
    own = () if account is None else (account.jid, account.lid or "")
    return without_device(jid) in {without_device(one) for one in own}


async def _find(
    context: Context, session: Session, to: str, named: Named, pointer: str
) -> MessageRow | None:
    chats: Sequence[str] = (chat_of(to),)
    found = await _look_up(context, session, chats, named)
    if not found and is_person(to):  # it may be stored under the person's other id
        others = [
            chat
            for chat in (
                await session.request(FindChats(to=to), seconds=context.seconds_left())
            ).chats
            if chat not in chats
        ]
        found = await _look_up(context, session, others, named) if others else found
    if named.participant is None and len({row.sender for row in found}) > 1:
        raise InvalidCommandError(
            "several messages of this chat have this id; name the participant",
            pointer=f"{pointer}/participant",
        )
    return found[0] if found else None


async def _look_up(
    context: Context, session: Session, chats: Sequence[str], named: Named
) -> Sequence[MessageRow]:
    found = await until_answered(
        lambda: context.messages.find(session.session_id, chats=chats, message_id=named.message_id),
        name="messages.find",
    )
    if named.participant is None:
        return found
    writer = without_device(named.participant)
    return [row for row in found if without_device(row.sender) == writer]
