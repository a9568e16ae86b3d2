"""What conversations are called: one person is one chat, by whichever id a message comes.

WhatsApp names a person by phone number, by LID, or by both. The first id under which a conversation
is seen is its name for good, and each further id of the person becomes another entry with it; so
does a number in the way in which a command has written it, if WhatsApp writes it in another. Two
that are there already when a message shows that they are one person's are merged: the older name
stays, and that is told.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg

from gateway_contracts import ChatMerged, ChatMergedData, SentInfo, SessionEvent, StatusInfo
from gateway_contracts.envelope import ChatEventData
from gateway_contracts.events.outcome import CommandSucceededData
from gateway_worker.sessions.changes import source_of
from gateway_worker.sessions.chats import is_person
from gateway_worker.storage.db.changes import statements as sql
from gateway_worker.storage.db.changes.bodies import Draft
from gateway_worker.storage.db.changes.steps import Step, beside_id

Connection: TypeAlias = "asyncpg.Connection[Any]"

REMEMBERED: Final = 20_000
"""Ids of people whose conversations' names are known without a look."""


class _Id(NamedTuple):
    """One id of a person, as a session under one epoch sees it."""

    session_id: str
    epoch: int
    chat: str


class _Name(NamedTuple):
    """What a conversation is called, and since when one of its ids is known."""

    chat_id: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A step about a person's conversation, and the ids that it names, the chat's own first."""

    step: Step
    ids: Sequence[_Id]


@dataclass(slots=True)
class _Batch:
    """What a transaction has found out; it counts when that is committed."""

    known: dict[_Id, _Name] = field(default_factory=dict)
    added: list[tuple[_Id, _Name]] = field(default_factory=list)
    merged: list[tuple[str, str, str]] = field(default_factory=list)


class ChatNaming:
    """Names the conversations of one worker's sessions.

    Args:
        worker_id: The source of what is announced.
    """

    def __init__(self, *, worker_id: str) -> None:
        self._worker_id = worker_id
        self._known: OrderedDict[_Id, _Name] = OrderedDict()
        self._pending: dict[_Id, _Name] = {}

    def begin(self) -> None:
        """Forget what a transaction found out that has come to nothing."""
        self._pending = {}

    def committed(self) -> None:
        """Remember what the transaction has found out."""
        for one, name in self._pending.items():
            self._known[one] = name
            self._known.move_to_end(one)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        self._pending = {}

    def recall(self, step: Step) -> bool:
        """Say of a step which conversation it is about, without a look; False if it takes one."""
        wanted = _wanted(step)
        if wanted is None:
            return True
        names = [self._known.get(each) for each in wanted.ids]
        first = names[0]
        if first is None or any(each is None or each.chat_id != first.chat_id for each in names):
            return False
        for each in wanted.ids:
            self._known.move_to_end(each)
        step.chat_id = first.chat_id
        return True

    async def name(self, connection: Connection, steps: Iterable[Step]) -> None:
        """Say of each step which conversation it is about.

        Args:
            connection: The transaction; the sessions are locked.
            steps: What takes effect, in order.
        """
        wanted = [one for step in steps if (one := _wanted(step)) is not None]
        if not wanted:
            return
        batch = _Batch()
        await self._look_up(connection, wanted, batch)
        for one in wanted:
            self._name(one, batch)
        for session_id, old, new in batch.merged:
            await connection.execute(sql.MERGE_CHATS, session_id, old, new)
        if batch.added:
            ids, names = zip(*batch.added, strict=True)
            await connection.execute(
                sql.ADD_CHATS,
                [each.session_id for each in ids],
                [each.chat for each in ids],
                [name.chat_id for name in names],
                [name.since for name in names],
            )
        self._pending |= batch.known

    async def forget(self, connection: Connection, steps: Iterable[Step]) -> None:
        """Forget the chats of people of whom nothing is to be known any more.

        Args:
            connection: The transaction; the sessions are locked.
            steps: What takes effect, in order.
        """
        for step in steps:
            ids, session_id = set(step.change.forget), step.change.session_id
            if not ids:
                continue
            for statement in sql.FORGET_CHATS:
                await connection.execute(statement, session_id, list(ids))
            for known in (self._known, self._pending):
                for each in [one for one in known if one.session_id == session_id]:
                    if each.chat in ids:
                        del known[each]

    async def _look_up(
        self, connection: Connection, wanted: Iterable[_Wanted], batch: _Batch
    ) -> None:
        missing: dict[_Id, None] = {}
        for one in wanted:
            for each in one.ids:
                name = self._pending.get(each) or self._known.get(each)
                if name is None:
                    missing[each] = None
                else:
                    batch.known[each] = name
        if not missing:
            return
        found = await connection.fetch(
            sql.FIND_CHATS,
            [each.session_id for each in missing],
            [each.chat for each in missing],
        )
        names = {(row["session_id"], row["chat"]): row for row in found}
        for each in missing:
            if (row := names.get((each.session_id, each.chat))) is not None:
                batch.known[each] = _Name(row["chat_id"], row["since"])

    def _name(self, one: _Wanted, batch: _Batch) -> None:
        step, ids = one.step, one.ids
        found = [name for each in ids if (name := batch.known.get(each)) is not None]
        oldest = min(found, key=lambda name: name.since, default=None)
        if oldest is None:
            oldest = _Name(ids[0].chat, datetime.now(UTC))
        for other in {name.chat_id for name in found} - {oldest.chat_id}:
            self._merge(one, batch, other, oldest)
        for each in ids:
            if each not in batch.known:
                batch.added.append((each, oldest))
                batch.known[each] = oldest
        step.chat_id = oldest.chat_id

    def _merge(self, one: _Wanted, batch: _Batch, other: str, kept: _Name) -> None:
        """Call by the older name whatever has the other one, and say so."""
        step, (first, *more) = one.step, one.ids
        session_id = step.change.session_id
        batch.merged.append((session_id, other, kept.chat_id))
        batch.added = [  # by this batch, under a name that is none any more
            (each, kept if (each.session_id, name.chat_id) == (session_id, other) else name)
            for each, name in batch.added
        ]
        for known in (self._known, self._pending, batch.known):
            for each, name in list(known.items()):
                if each.session_id == session_id and name.chat_id == other:
                    batch.known[each] = kept
        event = ChatMerged(
            id=beside_id(step.drafts[0].event.id, ChatMerged),
            source=source_of(self._worker_id),
            subject=session_id,
            data=ChatMergedData(
                chat_id=kept.chat_id,
                merged_chat_id=other,
                chat=first.chat,
                chat_lid=next((each.chat for each in more if _is_lid(each)), first.chat),
            ),
        )
        step.ahead.append(Draft.of(event))


def _is_lid(one: _Id) -> bool:
    return one.chat.endswith("@lid")


def _wanted(step: Step) -> _Wanted | None:
    """Return the ids of the conversation that a step is about; None if it is about no person's."""
    epoch = step.change.epoch
    if epoch is None or not step.drafts:
        return None
    chat, lid = _ids_of(step.drafts[0].event)
    if chat is None:
        return None
    if not is_person(chat):
        step.chat_id = chat
        return None
    ids = dict.fromkeys((chat, lid) if lid is not None else (chat,))
    if step.change.message is not None and step.change.message.asked is not None:
        ids[step.change.message.asked] = None
    return _Wanted(step=step, ids=[_Id(step.change.session_id, epoch, each) for each in ids])


def _ids_of(event: SessionEvent) -> tuple[str | None, str | None]:
    match event.data:
        case ChatEventData(chat_lid=lid) as data:
            chat: str | None = getattr(data, "chat", None)
            return chat, lid
        case CommandSucceededData(result=SentInfo(chat=chat, chat_lid=lid)):
            return chat, lid
        case CommandSucceededData(result=StatusInfo(chat=chat)):
            return chat, None
        case _:
            return None, None
