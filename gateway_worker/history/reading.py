"""Answers what backends ask of the history, page by page."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gateway_contracts import (
    ChatListData,
    ChatPage,
    ChatSummary,
    ContactListData,
    ContactPage,
    ErrorBody,
    ErrorCode,
    MessageDirection,
    MessageHistoryData,
    MessagePage,
    MessageProgress,
    MessageState,
    MessageStatusData,
    MessageStatusInfo,
    MetContact,
    PageOrder,
    PersonReceipt,
    SendInfo,
    SendState,
    StoredMessage,
)
from gateway_worker.history.device_names import Names, names_of
from gateway_worker.history.pages import fitting
from gateway_worker.history.ports import (
    Beside,
    HistoryStore,
    Place,
    ReceiptLine,
    SendRow,
    StoredRow,
    Wanted,
)
from gateway_worker.history.stored_content import content_of, media_id_of
from gateway_worker.runtime import cursors
from gateway_worker.sessions.changes import CommandState, Direction
from gateway_worker.sessions.chats import chat_of, is_group

_PEOPLE_TOLD: Final = 500
_DIRECTIONS: Final = {
    MessageDirection.IN: Direction.IN,
    MessageDirection.OUT: Direction.OUT,
}
_STATES: Final = {
    "played": MessageState.PLAYED,
    "read": MessageState.READ,
    "delivered": MessageState.DELIVERED,
}
"""The farthest first."""
_SENDS: Final = {
    CommandState.RECEIVED: SendState.WAITING,
    CommandState.EXECUTING: SendState.EXECUTING,
    CommandState.SUCCEEDED: SendState.SUCCEEDED,
    CommandState.FAILED: SendState.FAILED,
    CommandState.UNCERTAIN: SendState.UNCERTAIN,
}


class History:
    """Reads what is stored of sessions. Every call may raise `DependencyError`.

    Args:
        store: Where it is stored.
    """

    def __init__(self, *, store: HistoryStore) -> None:
        self._store = store

    async def messages(self, session_id: str, data: MessageHistoryData) -> MessagePage:
        """Return a page of messages.

        Raises:
            InvalidCommandError: The cursor is none of this command's.
        """
        after = None if data.cursor is None else Place(*cursors.given(data.cursor, *_PLACE))
        chats: Sequence[str | None] = (None,)
        if data.chat is not None:
            chats = await self._store.ids_of(session_id, chat_of(data.chat))
        newest_first = data.order is PageOrder.NEWEST
        found = [
            await self._store.find(
                Wanted(
                    session_id=session_id,
                    chat=chat,
                    direction=None if data.direction is None else _DIRECTIONS[data.direction],
                    kinds=data.kinds,
                    since=data.since,
                    until=data.until,
                    newest_first=newest_first,
                    after=after,
                ),
                limit=data.limit,
            )
            for chat in chats
        ]
        by_time = data.chat is not None
        rows = [row for each in found for row in each.rows]
        rows.sort(key=lambda row: row.place(by_time=by_time), reverse=newest_first)
        ends = [each.end for each in found if each.end is not None]
        end = (max if newest_first else min)(ends, default=None)
        if end is not None:  # what is after it may have others before it that were not looked at
            rows = [row for row in rows if _is_up_to(row, end, by_time, newest_first)]
        if len(rows) > data.limit:
            rows = rows[: data.limit]
            end = rows[-1].place(by_time=by_time)
        told = fitting(await self.told(session_id, rows))
        if len(told) < len(rows):
            end = rows[len(told) - 1].place(by_time=by_time)
        return MessagePage(
            messages=tuple(told), next_cursor=None if end is None else cursors.encode(end)
        )

    async def status(self, session_id: str, data: MessageStatusData) -> MessageStatusInfo:
        """Return how far a message has got."""
        if data.message_id is not None:
            rows = await self._store.messages(session_id, data.message_id)
            return MessageStatusInfo(messages=await self._progress(session_id, rows))
        sends = await self._store.sends(
            session_id, command_id=data.command_id, client_ref=data.client_ref
        )
        rows = [
            row
            for send in sends
            if (message_id := _message_id_of(send.outcome)) is not None
            for row in await self._store.messages(session_id, message_id)
            if row.command_id == send.command_id
        ]
        return MessageStatusInfo(
            commands=tuple(map(_send_info, sends)),
            messages=await self._progress(session_id, rows),
        )

    async def chats(self, session_id: str, data: ChatListData) -> ChatPage:
        """Return a page of chats.

        Raises:
            InvalidCommandError: The cursor is none of this command's.
        """
        after = None if data.cursor is None else cursors.given(data.cursor, datetime, str)
        lines = await self._store.chats(
            session_id,
            after=None if after is None else (after[0], after[1]),
            limit=data.limit + 1,
        )
        rows = await self.told(session_id, [line.last for line in lines[: data.limit]])
        told = fitting(
            ChatSummary(
                chat_id=line.chat_id,
                ids=line.ids,
                is_group=is_group(line.chat_id),
                last_message=last.model_copy(update={"chat_id": line.chat_id}),
                unread=line.unread,
            )
            for line, last in zip(lines, rows, strict=False)
        )
        cursor = None
        if len(told) < len(lines):
            last = lines[len(told) - 1]
            cursor = cursors.encode((last.last_at, last.chat_id))
        return ChatPage(chats=tuple(told), next_cursor=cursor)

    async def people(
        self, session_id: str, data: ContactListData, *, directory: Path | None
    ) -> ContactPage:
        """Return a page of people.

        Args:
            session_id: Whom who has met.
            data: Which page.
            directory: The session's, where it is here.

        Raises:
            InvalidCommandError: The cursor is none of this command's.
        """
        after = None if data.cursor is None else cursors.given(data.cursor, str)[0]
        lines = await self._store.people(session_id, after=after, limit=data.limit + 1)
        page, rest = lines[: data.limit], lines[data.limit :]
        ids = [one for line in page for one in line.ids]
        names: Mapping[str, Names] = {}
        if directory is not None:
            names = await asyncio.to_thread(names_of, directory, ids)
        return ContactPage(
            people=tuple(
                MetContact(
                    chat_id=line.chat_id,
                    ids=line.ids,
                    since=line.since,
                    push_name=_first(names, line.ids, "push_name"),
                    full_name=_first(names, line.ids, "full_name"),
                    business_name=_first(names, line.ids, "business_name"),
                )
                for line in page
            ),
            next_cursor=cursors.encode((page[-1].chat_id,)) if rest else None,
        )

    async def told(self, session_id: str, rows: Sequence[StoredRow]) -> list[StoredMessage]:
        """Return messages as backends are told of them."""
        sent = {row.message_id for row in rows if row.direction is Direction.OUT}
        files = {one for row in rows if (one := media_id_of(row.content)) is not None}
        beside = await self._store.beside(
            session_id, chats={row.chat for row in rows}, message_ids=sent, media_ids=files
        )
        return [_message(row, beside) for row in rows]

    async def _progress(
        self, session_id: str, rows: Sequence[StoredRow]
    ) -> tuple[MessageProgress, ...]:
        names = await self._store.chat_ids(session_id, {row.chat for row in rows})
        told = []
        for row in rows:
            lines: Sequence[ReceiptLine] = ()
            people = 0
            if row.direction is Direction.OUT:
                chats = await self._store.ids_of(session_id, row.chat)
                lines, people = await self._store.receipts(
                    session_id, chats, row.message_id, limit=_PEOPLE_TOLD
                )
            told.append(_progress(row, names, lines, people))
        return tuple(told)


_PLACE: Final = (datetime, datetime, str, str, str, str)


def _is_up_to(row: StoredRow, end: Place, by_time: bool, newest_first: bool) -> bool:  # noqa: FBT001
    place = row.place(by_time=by_time)
    return place >= end if newest_first else place <= end


def _message(row: StoredRow, beside: Beside) -> StoredMessage:
    chat_id = beside.names.get(row.chat, row.chat)
    return StoredMessage(
        message_id=row.message_id,
        chat=row.chat,
        chat_id=chat_id,
        direction=MessageDirection(row.direction.value),
        sender=row.sender,
        timestamp=row.timestamp,
        stored_at=row.stored_at,
        content=content_of(row.content, beside.media),
        state=_state(row, beside.statuses.get((row.message_id, chat_id), ())),
        command_id=row.command_id,
        client_ref=row.client_ref,
    )


def _progress(
    row: StoredRow, names: Mapping[str, str], lines: Sequence[ReceiptLine], people: int
) -> MessageProgress:
    return MessageProgress(
        message_id=row.message_id,
        chat=row.chat,
        chat_id=names.get(row.chat, row.chat),
        direction=MessageDirection(row.direction.value),
        timestamp=row.timestamp,
        state=_state(row, {status for line in lines for status in line.at}),
        command_id=row.command_id,
        client_ref=row.client_ref,
        receipts=tuple(
            PersonReceipt(
                participant=line.participant,
                delivered_at=line.at.get("delivered"),
                read_at=line.at.get("read"),
                played_at=line.at.get("played"),
            )
            for line in lines
        ),
        people=people,
    )


def _state(row: StoredRow, heard: Collection[str]) -> MessageState | None:
    if row.direction is Direction.IN:
        return None
    usual = MessageState.UNCERTAIN if row.is_uncertain else MessageState.SENT
    return next((state for status, state in _STATES.items() if status in heard), usual)


def _send_info(send: SendRow) -> SendInfo:
    error = send.outcome.get("error")
    if error is not None:
        # Those of an earlier release have no category.
        error = {"category": ErrorCode(error["code"]).category, **error}
    return SendInfo(
        command_id=send.command_id,
        state=_SENDS[send.state],
        client_ref=send.client_ref,
        received_at=send.received_at,
        finished_at=send.finished_at,
        error=None if error is None else ErrorBody.model_validate(error),
    )


def _message_id_of(outcome: Mapping[str, Any]) -> str | None:
    """Return the message that a command has sent, or may have."""
    where = outcome.get("result") or outcome.get("message") or {}
    found: str | None = where.get("message_id")
    return found


def _first(names: Mapping[str, Names], ids: Iterable[str], kind: str) -> str | None:
    """Return the first name of a kind that is known under any of a person's ids."""
    found = (getattr(names[one], kind) for one in ids if one in names)
    return next((name for name in found if name is not None), None)
