"""What reading a large history takes, by the shape of the question, and what its indexes cost.

A PostgreSQL of its own is filled by SQL; the questions are asked as a worker asks them, one after
the other, through the same code, each of another session and chat. A question's time is all that a
worker spends on it but for the broker.
"""

import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
from pydantic import SecretStr

from gateway_contracts import (
    ChatListData,
    ContactListData,
    MessageDirection,
    MessageHistoryData,
    MessageStatusData,
    PageOrder,
)
from gateway_worker.devkit.services.postgres import LocalPostgres
from gateway_worker.devkit.services.workspace import Workspace
from gateway_worker.history.ports import Wanted
from gateway_worker.history.reading import History
from gateway_worker.sessions.changes import Direction
from gateway_worker.storage.db import Database, DatabaseSettings, migrate
from gateway_worker.storage.db.history import PostgresHistoryStore
from gateway_worker.storage.db.message_pages import page_of
from tests.bench.history_data import SESSIONS, Filled, fill

_ENDS: Final = 1_795_000_000.0
_ASKED: Final = 200
_SELDOM: Final = 30
_WRITTEN: Final = 20_000
_BATCH: Final = 20
_BAR_MS: Final = 20.0
_HERE: Final = "session-0000"

Question = Callable[[], Awaitable[object]]

_DRAW: Final = """
    SELECT session_id, message_id, chat, command_id, client_ref FROM messages
    WHERE stored_at >= to_timestamp($1::float8)
        AND session_id = 'session-' || lpad($2::text, 4, '0')
    ORDER BY md5(message_id) LIMIT $3
"""
_SIZES: Final = """
    SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes
    WHERE relname = 'messages'
"""
_WRITE: Final = """
    INSERT INTO messages (session_id, message_id, chat, direction, sender, content, timestamp,
        stored_at)
    SELECT 'session-' || lpad((n % 100)::text, 4, '0'), 'W' || $1::text || '-' || n,
        (15550000000 + (n * 7919) % 2000)::text || '@s.whatsapp.net', 'in',
        (15550000000 + (n * 7919) % 2000)::text || '@s.whatsapp.net',
        jsonb_build_object('kind', 'text', 'text', repeat('some words ', 7)), now(), now()
    FROM generate_series($2::int, $3::int) AS n
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A message that there is, and what it is known by."""

    session_id: str
    message_id: str
    chat: str
    command_id: str | None
    client_ref: str | None


async def measure_history(*, rows: int) -> dict[str, Any]:
    """Fill a database and ask it; returns the figures."""
    async with (
        _server() as url,
        Database(
            settings=DatabaseSettings(
                url=SecretStr(url), statement_timeout_seconds=3600, answer_timeout_seconds=7200
            )
        ) as database,
    ):
        await migrate.upgrade(url)
        began = time.monotonic()
        async with database.direct("filling") as connection:
            filled = await fill(connection, rows=rows, ends=_ENDS)
        figures: dict[str, Any] = {"rows": rows, "filled_seconds": round(time.monotonic() - began)}
        known = await _draw(database, filled)
        history = History(store=PostgresHistoryStore(database=database))
        shapes = _shapes(_Questions(history, known), filled)
        figures["queries"] = {
            name: await _times(ask, often=_SELDOM if name in _NOT_BARRED else _ASKED)
            for name, ask in shapes.items()
        }
        figures["bar_ms"] = _BAR_MS
        figures["worst_p95_ms"] = max(
            each["p95_ms"] for name, each in figures["queries"].items() if name not in _NOT_BARRED
        )
        figures["plans"] = await _plans(database, filled)
        figures["indexes"] = await _index_sizes(database, rows)
        figures["writing"] = await _writing(database)
    return figures


_NOT_BARRED: Final = frozenset({"chats", "chats_of_many", "people"})
"""Lists of chats and people: measured beside what the bar is for."""


@asynccontextmanager
async def _server() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="bench-history-") as directory:
        workspace = Workspace(root=Path(directory), is_durable=False)
        server = LocalPostgres(workspace=workspace)
        try:
            await server.start()
            yield server.url
        finally:
            await server.stop()
            workspace.ports.close()
            workspace.discard()


async def _draw(database: Database, filled: Filled) -> Sequence[Known]:
    """Return messages of all sessions, of the newest tenth, which has receipts and commands."""
    recent = filled.ends - filled.rows / 10
    async with database.direct("drawing") as connection:
        found = [
            row
            for number in range(SESSIONS)
            for row in await connection.fetch(_DRAW, recent, str(number), 5)
        ]
    return [Known(**dict(row)) for row in found]


class _Questions:
    """Makes questions, each of which draws what it is about whenever it is asked.

    Args:
        history: Answers them.
        known: What they are about.
    """

    def __init__(self, history: History, known: Sequence[Known]) -> None:
        self._history = history
        self._known = known
        self._draw = random.Random(1)

    def page(self, *, of: str | None = None, chat: bool = False, **wanted: Any) -> Question:
        """Ask for the first page of a session, or of a chat."""

        async def ask() -> object:
            one = self._draw.choice(self._known)
            data = MessageHistoryData(**wanted, chat=one.chat if chat else None)
            return await self._history.messages(of or one.session_id, data)

        return ask

    def pages(self, *, chat: bool = False) -> Question:
        """Ask for one page after the other, to the end."""
        one, cursor = self._draw.choice(self._known), None

        async def ask() -> object:
            nonlocal one, cursor
            if cursor is None:
                one = self._draw.choice(self._known)
            data = MessageHistoryData(chat=one.chat if chat else None, cursor=cursor)
            page = await self._history.messages(one.session_id, data)
            cursor = page.next_cursor
            return page

        return ask

    def status(self, field: str) -> Question:
        """Ask how far a message has got, by one of its names."""
        named = [one for one in self._known if getattr(one, field) is not None]

        async def ask() -> object:
            one = self._draw.choice(named)
            data = MessageStatusData(**{field: getattr(one, field)})
            return await self._history.status(one.session_id, data)

        return ask

    def chats(self, *, of: str | None = None) -> Question:
        """Ask for the first page of a session's chats."""

        async def ask() -> object:
            session_id = of or self._draw.choice(self._known).session_id
            return await self._history.chats(session_id, ChatListData())

        return ask

    def people(self) -> Question:
        """Ask for the first page of a session's people."""

        async def ask() -> object:
            session_id = self._draw.choice(self._known).session_id
            return await self._history.people(session_id, ContactListData(), directory=None)

        return ask


def _shapes(questions: _Questions, filled: Filled) -> Mapping[str, Question]:
    since = datetime.fromtimestamp(filled.ends - filled.rows / 2, UTC)
    then: dict[str, Any] = {"since": since, "until": since + timedelta(seconds=filled.rows / 50)}
    sent: dict[str, Any] = {"direction": MessageDirection.OUT}
    oldest: dict[str, Any] = {"order": PageOrder.OLDEST}
    rare: dict[str, Any] = {"kinds": ("location",)}
    page = questions.page
    return {
        "chat": page(chat=True),
        "chat_page_after_page": questions.pages(chat=True),
        "chat_oldest": page(chat=True, **oldest),
        "chat_in_time": page(chat=True, **then),
        "chat_by_direction": page(chat=True, **sent),
        "chat_of_rare_kind": page(chat=True, **rare),
        "session": page(),
        "session_page_after_page": questions.pages(),
        "session_oldest": page(**oldest),
        "session_in_time": page(**then),
        "session_by_direction": page(**sent),
        "session_of_rare_kind": page(**rare),
        "large_session_of_rare_kind": page(of=_HERE, **rare),
        "pages_of_200": page(limit=200),
        "status_by_message": questions.status("message_id"),
        "status_by_command": questions.status("command_id"),
        "status_by_client_ref": questions.status("client_ref"),
        "chats": questions.chats(),
        "chats_of_many": questions.chats(of=_HERE),
        "people": questions.people(),
    }


async def _times(ask: Question, *, often: int) -> dict[str, float]:
    for _ in range(often // 10):
        await ask()
    taken = []
    for _ in range(often):
        began = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return {
        "p50_ms": round(statistics.median(taken), 2),
        "p95_ms": round(taken[int(len(taken) * 0.95)], 2),
        "max_ms": round(taken[-1], 2),
    }


async def _plans(database: Database, filled: Filled) -> dict[str, Sequence[str]]:
    """Return how the server reads pages, as it says itself."""
    until = datetime.fromtimestamp(filled.ends - filled.rows / 2, UTC)
    chat = "15550000000@s.whatsapp.net"
    usual = Wanted(session_id=_HERE, until=until)
    wanted = {
        "chat": replace(usual, chat=chat),
        "chat_by_direction": replace(usual, chat=chat, direction=Direction.OUT),
        "session": usual,
        "session_of_rare_kind": replace(usual, kinds=("location",)),
    }
    plans: dict[str, Sequence[str]] = {}
    async with database.direct("explaining") as connection:
        for name, each in wanted.items():
            statement, values = page_of(each, limit=50)
            lines = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", *values)
            plans[name] = [line for (line,) in lines]
    return plans


async def _index_sizes(database: Database, rows: int) -> dict[str, Any]:
    async with database.direct("measuring indexes") as connection:
        found = await connection.fetch(_SIZES)
        heap = await connection.fetchval("SELECT pg_relation_size('messages')")
    sizes = dict(found)
    return {
        name: {"mib": round(size / 2**20), "bytes_per_message": round(size / rows, 1)}
        for name, size in {"messages": heap, **sizes}.items()
    }


async def _writing(database: Database) -> dict[str, Any]:
    """Write messages with the indexes as they are, and with others: CPU and WAL of each."""
    without_chat = ["DROP INDEX messages_chat_idx"]
    former = ["CREATE INDEX messages_stored_at_idx ON messages (stored_at)"]
    steps = {
        "as_it_is": [],
        "without_chat": without_chat,
        "without_both": ["DROP INDEX messages_stored_idx"],
        "as_it_was": former,
    }
    figures = {}
    for name, statements in steps.items():
        async with database.direct("changing indexes") as connection:
            for statement in statements:
                await connection.execute(statement)
            await connection.execute("CHECKPOINT")
            figures[name] = await _write(connection, name)
    return figures


async def _write(connection: "asyncpg.Connection[Any]", name: str) -> dict[str, float]:
    rounds = []
    for number in range(3):
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        wal = "SELECT pg_current_wal_insert_lsn()"
        before = _cpu_seconds(pid)
        start = await connection.fetchval(wal)
        for first in range(0, _WRITTEN, _BATCH):
            await connection.execute(_WRITE, f"{name}{number}", first, first + _BATCH - 1)
        taken = _cpu_seconds(pid) - before
        size = await connection.fetchval(f"SELECT pg_wal_lsn_diff(({wal}), $1::pg_lsn)", start)
        rounds.append((taken / _WRITTEN * 1e6, float(size) / _WRITTEN))
    return {
        "cpu_us_per_message": round(statistics.median(one for one, _ in rounds), 1),
        "wal_bytes_per_message": round(statistics.median(each for _, each in rounds)),
    }


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
