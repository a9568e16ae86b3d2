"""Files that say of each row of a bulk how it has ended."""

from collections.abc import AsyncIterator, Collection, Iterable
from typing import Any, Final

import orjson

from gateway_contracts import BulkResultFile
from gateway_worker.commands.deferrals import BulkFiles, BulkStore, EndedRow
from gateway_worker.sessions.deferred import Bulk

_WRITTEN: Final = 1_000


class BulkResults:
    """Writes results of bulks, as the inbox has them then.

    Args:
        store: Knows how the rows have ended.
        files: Where results are written; None if nowhere.
    """

    def __init__(self, *, store: BulkStore, files: BulkFiles | None) -> None:
        self._store = store
        self._files = files

    async def write(
        self, session_id: str, bulk: Bulk, *, without: Collection[str] = ()
    ) -> tuple[BulkResultFile | None, str | None]:
        """Write the result of a bulk, over an earlier one; returns it with its key.

        Args:
            session_id: Whose.
            bulk: Which.
            without: The numbers of people whose chats are not named.

        Raises:
            DependencyError: The database or the bucket is unavailable.
        """
        if self._files is None:
            return None, None
        # Below the session's own files, which go with it.
        key = f"media/{session_id}/bulks/{bulk.load}.jsonl"
        await self._files.write(key, self._lines(session_id, bulk, without))
        return await self._files.told(key), key

    async def _lines(
        self, session_id: str, bulk: Bulk, without: Collection[str]
    ) -> AsyncIterator[bytes]:
        for first in range(1, bulk.rows + 1, _WRITTEN):
            last = min(first + _WRITTEN - 1, bulk.rows)
            rows = await self._store.ended(session_id, bulk.bulk_id, first=first, last=last)
            yield b"".join(_lines(bulk.bulk_id, rows, without))


def _lines(bulk_id: str, rows: Iterable[EndedRow], without: Collection[str]) -> Iterable[bytes]:
    for row in rows:
        line: dict[str, Any] = {"row": row.row, "id": f"{bulk_id}/{row.row}"}
        line["state"] = row.state or "cancelled"
        result, error = row.outcome.get("result", {}), row.outcome.get("error", {})
        message = row.outcome.get("message", result)
        line |= {
            name: message[name] for name in ("message_id", "chat") if message.get(name) is not None
        }
        if str(line.get("chat")).partition("@")[0] in without:
            del line["chat"]
        if "code" in error:
            line["code"] = error["code"]
        yield orjson.dumps(line) + b"\n"
