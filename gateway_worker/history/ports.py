"""What reading the history needs of the database (implemented by `storage.db.history`)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from gateway_contracts import Media
from gateway_worker.sessions.changes import CommandState, Direction


class Place(NamedTuple):
    """A message's place in a history: what that goes by, and what tells it from its equals.

    Of those of one second, as WhatsApp tells the time, the one that was stored first is the first.
    """

    moment: datetime
    then: datetime
    message_id: str
    chat: str
    direction: str
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which messages are wanted.

    Attributes:
        session_id: Whose.
        chat: One id of a chat: its messages go by WhatsApp's time, those of all by when they were
            stored.
        direction: Only those that went this way.
        kinds: Only those of these kinds; none means all.
        since: Not before.
        until: Not after.
        newest_first: The order.
        after: Where the page before has ended.
    """

    session_id: str
    chat: str | None = None
    direction: Direction | None = None
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    newest_first: bool = True
    after: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """A message as it is stored; its content as JSON."""

    chat: str
    message_id: str
    direction: Direction
    sender: str
    content: Mapping[str, Any]
    timestamp: datetime
    stored_at: datetime
    command_id: str | None
    client_ref: str | None
    is_uncertain: bool

    def place(self, *, by_time: bool) -> Place:
        """Return its place, among those of a chat (by WhatsApp's time) or among all."""
        return Place(
            moment=self.timestamp if by_time else self.stored_at,
            then=self.stored_at if by_time else self.timestamp,
            message_id=self.message_id,
            chat=self.chat,
            direction=self.direction.value,
            sender=self.sender,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Messages in order.

    Attributes:
        rows: The messages.
        end: The last that was looked at, if there may be more; None if that was all.
    """

    rows: Sequence[StoredRow]
    end: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRow:
    """A command as it is stored; its outcome as JSON."""

    command_id: str
    state: CommandState
    outcome: Mapping[str, Any]
    client_ref: str | None
    received_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """When a person has confirmed a message, by status."""

    participant: str
    at: Mapping[str, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLine:
    """A chat, its newest message, and how many of others are unread."""

    chat_id: str
    ids: tuple[str, ...]
    last_at: datetime
    last: StoredRow
    unread: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """A person, by the ids under which there were messages."""

    chat_id: str
    ids: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is told of messages beside their rows.

    Attributes:
        names: What the conversations of their chats are called, as far as they have names.
        statuses: What receipts have told, by message id and by the conversation's name.
        media: How their files stand now, by their ids.
    """

    names: Mapping[str, str]
    statuses: Mapping[tuple[str, str], Collection[str]]
    media: Mapping[str, Media]


class HistoryStore(Protocol):
    """Reads what is stored of a session. Every call may raise `DependencyError`."""

    async def ids_of(self, session_id: str, chat: str) -> Sequence[str]:
        """Return all ids of the conversation that has this one, this one among them."""
        ...

    async def find(self, wanted: Wanted, *, limit: int) -> Found:
        """Return at most `limit` messages, of a bounded number that is looked at."""
        ...

    async def chat_ids(self, session_id: str, chats: Collection[str]) -> Mapping[str, str]:
        """Return what the conversations of these ids are called, as far as they have names."""
        ...

    async def beside(
        self,
        session_id: str,
        *,
        chats: Collection[str],
        message_ids: Collection[str],
        media_ids: Collection[str],
    ) -> Beside:
        """Return what is told of messages and is not in their rows, in one answer.

        Args:
            session_id: Whose.
            chats: The chats of the messages.
            message_ids: Those whose receipts are wanted.
            media_ids: Their files.
        """
        ...

    async def sends(
        self, session_id: str, *, command_id: str | None = None, client_ref: str | None = None
    ) -> Sequence[SendRow]:
        """Return the commands of an id or a reference, the newest first, 20 at most."""
        ...

    async def messages(self, session_id: str, message_id: str) -> Sequence[StoredRow]:
        """Return the messages that have this id, in whatever chat, the newest first, 20 at most."""
        ...

    async def receipts(
        self, session_id: str, chats: Sequence[str], message_id: str, *, limit: int
    ) -> tuple[Sequence[ReceiptLine], int]:
        """Return who has confirmed a message, the latest first, and how many there are in all."""
        ...

    async def chats(
        self, session_id: str, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[ChatLine]:
        """Return chats, the one with the newest message first, after a place in that order."""
        ...

    async def people(
        self, session_id: str, *, after: str | None, limit: int
    ) -> Sequence[PersonLine]:
        """Return people in the order of their names for good, after one of these."""
        ...
