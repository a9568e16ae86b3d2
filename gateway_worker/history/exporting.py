"""Writes what is stored of a person into an object, line by line."""

import secrets
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from gateway_contracts import Exported, StoredMessage
from gateway_worker.history.person import ids_of
from gateway_worker.history.ports import HistoryStore, Place, StoredRow
from gateway_worker.history.reading import History
from gateway_worker.media.places import SharedPlaces, owner_of
from gateway_worker.runtime.clock import Clock

ROOT: Final = "exports/"
"""Below it every object has its session's id, and then a random name."""
_PAGE: Final = 25
"""So many messages are in memory at a time; a stranger's may have some MiB."""
_AT_ONCE: Final = 3
"""So many are written at a time, of one tenant one less: each has two parts of its object, too."""
_KEPT: Final = timedelta(days=7)
_PRUNE_SECONDS: Final = 3600.0
_TYPE: Final = "application/x-ndjson"


class PersonStore(Protocol):
    """Reads what is stored of a person (implemented by `storage.db.exporting`).

    Every call may raise `DependencyError`.
    """

    async def page(
        self, session_id: str, ids: Sequence[str], *, after: Place | None, limit: int
    ) -> Sequence[StoredRow]:
        """Return messages with the person and by the person, the oldest first."""
        ...

    async def receipts(
        self, session_id: str, ids: Sequence[str], message_ids: Sequence[str]
    ) -> Sequence[Mapping[str, Any]]:
        """Return receipts of these messages, by the person or in the person's chat."""
        ...


class ExportObjects(Protocol):
    """Where exports are kept. Every call may raise `DependencyError`."""

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, content_type: str) -> int:
        """Store what comes; returns how many bytes that was."""
        ...

    async def presign_get(
        self, key: str, *, valid_seconds: int, file_name: str | None = None
    ) -> str:
        """Return a URL at which anybody can read an object for a while."""
        ...

    async def delete_prefix(self, prefix: str, *, before: datetime | None = None) -> int:
        """Remove what begins so and was written before; returns how many objects there were."""
        ...


@dataclass(slots=True)
class _Lines:
    """Counts lines as they are written."""

    number: int = 0

    def line(self, kind: str, value: Mapping[str, Any]) -> bytes:
        self.number += 1
        return orjson.dumps({"type": kind, **value}) + b"\n"


class Exporter:
    """Exports what is stored of people, and deletes exports that are old.

    Args:
        history: Tells messages as backends are told of them.
        store: Knows the ids of one person.
        rows: Reads what is stored of one.
        objects: Where exports are kept.
        clock: The time.
    """

    def __init__(
        self,
        *,
        history: History,
        store: HistoryStore,
        rows: PersonStore,
        objects: ExportObjects,
        clock: Clock,
    ) -> None:
        self._history = history
        self._store = store
        self._rows = rows
        self._objects = objects
        self._clock = clock
        self._prune_at = 0.0
        self._places = SharedPlaces(_AT_ONCE)

    async def export(self, session_id: str, contact: str, *, directory: Path | None) -> Exported:
        """Write an export when it is its turn; returns where it is.

        Args:
            session_id: Whose.
            contact: The person, by number or by id.
            directory: The session's, where it is here.

        Raises:
            DependencyError: It is not written.
        """
        async with self._places.place(owner_of(session_id)):
            ids = await ids_of(self._store, session_id, contact, directory=directory)
            key = f"{ROOT}{session_id}/{secrets.token_hex(16)}.jsonl"
            lines = _Lines()
            size = await self._objects.write(
                key, self._lines(session_id, ids, lines), content_type=_TYPE
            )
        seconds = int(_KEPT.total_seconds())
        expires_at = self._clock.now() + _KEPT
        url = await self._objects.presign_get(key, valid_seconds=seconds)
        return Exported(key=key, url=url, url_expires_at=expires_at, lines=lines.number, size=size)

    async def remove(self, session_id: str) -> None:
        """Remove the exports of a session. Idempotent; may raise `DependencyError`."""
        await self._objects.delete_prefix(f"{ROOT}{session_id}/")

    async def prune(self, _limit: int) -> int:
        """Remove exports that are old, now and then; returns 0, for nothing is left to do.

        May raise `DependencyError`.
        """
        now = self._clock.monotonic()
        if now >= self._prune_at:
            await self._objects.delete_prefix(ROOT, before=self._clock.now() - _KEPT)
            self._prune_at = now + _PRUNE_SECONDS
        return 0

    async def _lines(
        self, session_id: str, ids: Sequence[str], lines: _Lines
    ) -> AsyncIterator[bytes]:
        yield lines.line("person", {"ids": list(ids)})
        after: Place | None = None
        while True:
            rows = await self._rows.page(session_id, ids, after=after, limit=_PAGE)
            told = await self._history.told(session_id, rows)
            for message in told:
                yield lines.line("message", _plain(message))
            receipts = await self._rows.receipts(session_id, ids, [row.message_id for row in rows])
            for receipt in receipts:
                yield lines.line("receipt", receipt)
            if len(rows) < _PAGE:
                return
            last = rows[-1]
            after = Place(
                moment=last.stored_at,
                then=last.timestamp,
                message_id=last.message_id,
                chat=last.chat,
                direction=last.direction.value,
                sender=last.sender,
            )


def _plain(message: StoredMessage) -> dict[str, Any]:
    return message.model_dump(mode="json", exclude_none=True)
