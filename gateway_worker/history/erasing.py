"""Erases what is stored of a person, table by table and in bites, so that nobody waits for it.

Files go before their rows: a run that is cut off leaves no object that nobody knows of, and the
next run finds what is left. The names of the chats go last, together with the command's end.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from gateway_contracts import ErasedCounts
from gateway_worker.errors import DependencyError
from gateway_worker.history.person import erase_from_device, ids_of, numbers_of
from gateway_worker.history.ports import HistoryStore
from gateway_worker.media.arriving.records import key_of, thumbnail_key_of

_BITE: Final = 2_000

Place: TypeAlias = tuple[datetime, str]
"""When a command was received, and the key under which it is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that came with a message; `is_alone` if no other message has brought its object."""

    media_id: str
    sha256: str | None
    is_alone: bool


class ErasureStore(Protocol):
    """Erases rows of a session (implemented by `storage.db.erasing`).

    Every call may raise `DependencyError`. Those with a limit return how many rows they have
    erased; fewer than that are all that there were.
    """

    async def mark(self, session_id: str, ids: Sequence[str]) -> None:
        """Note that the person is erased now, so that no history brings back what was before."""
        ...

    async def files(self, session_id: str, ids: Sequence[str]) -> Sequence[StoredFile]:
        """Return the files of the messages that are to be erased."""
        ...

    async def forget_files(self, session_id: str, media_ids: Sequence[str]) -> None:
        """Erase their rows."""
        ...

    async def messages(self, session_id: str, ids: Sequence[str], *, limit: int) -> int:
        """Erase the messages with a person, and those by the person."""
        ...

    async def receipts(self, session_id: str, ids: Sequence[str], *, limit: int) -> int:
        """Erase what the person has confirmed, and what was confirmed in the chat."""
        ...

    async def outcomes_of(
        self, session_id: str, numbers: Sequence[str], *, after: Place | None, limit: int
    ) -> tuple[Sequence[str], Place | None]:
        """Return which of the next `limit` commands have outcomes that tell of the person.

        Returns:
            Their ids, and the place of the last that was looked at; None after the last of all.
        """
        ...

    async def outcomes(
        self, session_id: str, numbers: Sequence[str], command_ids: Sequence[str]
    ) -> int:
        """Replace the person's ids in outcomes of commands."""
        ...

    async def events(
        self, session_id: str, numbers: Sequence[str], *, after: int, limit: int
    ) -> tuple[int, int | None]:
        """Erase stored events that tell of the person, among the next `limit` after a place.

        Returns:
            How many, and the last place that was looked at; None after the last.
        """
        ...

    async def chats(self, session_id: str, ids: Sequence[str]) -> int:
        """Return how many of the ids chats are known by."""
        ...


class ObjectRemoval(Protocol):
    """Where files are kept."""

    async def delete(self, *keys: str) -> None:
        """Remove objects; those that are not there count as removed.

        Raises:
            DependencyError: Not all are removed.
        """
        ...


async def _nothing(_numbers: Sequence[str], _command_ids: Sequence[str]) -> None:
    """Nothing else tells of commands."""


async def _none_waits(_ids: Sequence[str]) -> None:
    """Nothing is still to be sent."""


async def _at_once() -> None:
    """Nothing of a history is being recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was erased, and whose chats are still to be forgotten."""

    counts: ErasedCounts
    ids: Sequence[str]


class Eraser:
    """Erases what is stored of people.

    Args:
        history: Knows the ids of one person.
        rows: Erases rows.
        objects: Erases files.
    """

    def __init__(
        self, *, history: HistoryStore, rows: ErasureStore, objects: ObjectRemoval
    ) -> None:
        self._history = history
        self._rows = rows
        self._objects = objects

    async def erase(
        self,
        session_id: str,
        contact: str,
        *,
        directory: Path | None,
        check: Callable[[], Awaitable[object]],
        call_off: Callable[[Sequence[str]], Awaitable[object]] = _none_waits,
        forget: Callable[[Sequence[str], Sequence[str]], Awaitable[object]] = _nothing,
        settle: Callable[[], Awaitable[object]] = _at_once,
    ) -> Erasure:
        """Erase what a session has stored of a person, but for the names of the chats.

        Args:
            session_id: Whose.
            contact: The person, by number or by id.
            directory: The session's, where it is here.
            check: Called before each table; it raises if the session is no longer this worker's.
            call_off: Called with the person's ids before anything is erased: what would be sent
                meanwhile would be stored anew.
            forget: Called with the person's numbers and the ids of commands to the person, before
                the outcomes of these are erased: what else tells of them is to go first.
            settle: Called once it is noted that the person is erased; it returns when whatever of
                a history is recorded without knowing of that has been, and can be erased.

        Raises:
            DependencyError: Not all is erased; the next run goes on.
        """
        ids = await ids_of(self._history, session_id, contact, directory=directory)
        numbers = numbers_of(ids)
        rows = self._rows
        await check()
        await call_off(ids)
        await rows.mark(session_id, ids)
        await settle()
        files, objects = await self._files(session_id, ids)
        await check()
        messages = await _all(lambda: rows.messages(session_id, ids, limit=_BITE))
        await check()
        receipts = await _all(lambda: rows.receipts(session_id, ids, limit=_BITE))
        await check()
        outcomes = await self._outcomes(session_id, numbers, forget)
        events = await self._events(session_id, numbers)
        counts = ErasedCounts(
            messages=messages,
            receipts=receipts,
            files=files,
            objects=objects,
            chats=await rows.chats(session_id, ids),
            outcomes=outcomes,
            events=events,
            device_rows=await _device_rows(directory, ids),
        )
        return Erasure(counts=counts, ids=ids)

    async def _files(self, session_id: str, ids: Sequence[str]) -> tuple[int, int]:
        files = await self._rows.files(session_id, ids)
        hashes = {one.sha256 for one in files if one.is_alone and one.sha256 is not None}
        keys = [key for one in sorted(hashes) for key in _keys(session_id, one)]
        if keys:
            await self._objects.delete(*keys)
        if files:
            await self._rows.forget_files(session_id, [one.media_id for one in files])
        return len(files), len(hashes)

    async def _outcomes(
        self,
        session_id: str,
        numbers: Sequence[str],
        forget: Callable[[Sequence[str], Sequence[str]], Awaitable[object]],
    ) -> int:
        erased, place, is_over = 0, None, not numbers
        while not is_over:
            ids, place = await self._rows.outcomes_of(session_id, numbers, after=place, limit=_BITE)
            if ids:
                await forget(numbers, ids)
                erased += await self._rows.outcomes(session_id, numbers, ids)
            is_over = place is None
        return erased

    async def _events(self, session_id: str, numbers: Sequence[str]) -> int:
        erased, place = 0, 0 if numbers else None
        while place is not None:
            number, place = await self._rows.events(session_id, numbers, after=place, limit=_BITE)
            erased += number
        return erased


async def _all(erase: Callable[[], Awaitable[int]]) -> int:
    erased = 0
    while True:
        number = await erase()
        erased += number
        if number < _BITE:
            return erased


async def _device_rows(directory: Path | None, ids: Collection[str]) -> int:
    if directory is None:
        return 0
    try:
        return await asyncio.to_thread(erase_from_device, directory, ids)
    except sqlite3.Error as error:
        raise DependencyError(f"the device store: {type(error).__name__}") from error


def _keys(session_id: str, sha256: str) -> tuple[str, str]:
    key = key_of(session_id, sha256)
    return key, thumbnail_key_of(key)
