"""Who has asked for what, and what became of it: the commands without anything that is in them.

They are read from the latest back, in bites of the index by time: however many there are, and
however few of them are wanted, no statement takes long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, Tuple, select, tuple_

from gateway_contracts.tenants import tenant_of
from gateway_worker.storage.db.command_keys import command_id
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.schema import commands

_BITE: Final = 20_000
_LATEST: Final = (commands.c.received_at.desc(), commands.c.id.desc())
_TOLD: Final = select(
    commands.c.id,
    commands.c.session_id,
    commands.c.type,
    commands.c.state,
    commands.c.outcome["error"]["code"].astext.label("code"),
    commands.c.worker_id,
    commands.c.received_at,
    commands.c.finished_at,
).order_by(*_LATEST)

Place: TypeAlias = tuple[datetime, str]
"""Where a command is among all: when it came, and its id in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One command.

    Attributes:
        owner: The tenant whose it is; None in a fleet without tenants.
        session_id: For which session.
        command_type: What was asked for, as `message.send`.
        command_id: Its id.
        outcome: `succeeded`, the code of its error, or how far it is.
        worker_id: Which worker had it last.
        received_at: When it came.
        finished_at: When it had its outcome.
    """

    owner: str | None
    session_id: str
    command_type: str
    command_id: str
    outcome: str
    worker_id: str | None
    received_at: datetime
    finished_at: datetime | None


class Audit:
    """Reads the commands table, for as long as that is kept (`COMMAND_RETENTION_DAYS`).

    Args:
        database: Where it is.
        bite: How many commands are looked through at a time.
    """

    def __init__(self, *, database: Database, bite: int = _BITE) -> None:
        self._database = database
        self._bite = bite

    async def commands(
        self,
        *,
        tenant: str | None = None,
        session_id: str | None = None,
        command_type: str | None = None,
        since: datetime | None = None,
        limit: int,
    ) -> Sequence[AuditLine]:
        """Return commands, the latest first. Raises `DependencyError`.

        Args:
            tenant: Only of this one's sessions.
            session_id: Only of this one.
            command_type: Only of this type, as `message.send`.
            since: Only those that came then or later.
            limit: How many at most.
        """
        narrowed, wanted = [], []
        if session_id is not None:
            narrowed.append(commands.c.session_id == session_id)
        if since is not None:
            narrowed.append(commands.c.received_at >= since)
        if tenant is not None:
            wanted.append(commands.c.session_id.startswith(f"{tenant}.", autoescape=True))
        if command_type is not None:
            wanted.append(commands.c.type.startswith(f"wa.{command_type}.v", autoescape=True))
        found: list[AuditLine] = []
        before: Place | None = None
        while len(found) < limit:
            bite = [*narrowed, *([] if before is None else [_place() < before])]
            before = await self._end_of(bite)
            if before is not None:
                bite.append(_place() >= before)
            found += await self._lines([*bite, *wanted], limit=limit - len(found))
            if before is None:
                break
        return found

    async def _end_of(self, bite: Sequence[ColumnElement[bool]]) -> Place | None:
        """Return the place of the last command of a bite; None if all that are left are in it."""
        last = (
            select(commands.c.received_at, commands.c.id)
            .where(*bite)
            .order_by(*_LATEST)
            .offset(self._bite - 1)
            .limit(1)
        )
        rows = await self._fetch(last)
        return None if not rows else (rows[0].received_at, rows[0].id)

    async def _lines(
        self, conditions: Sequence[ColumnElement[bool]], *, limit: int
    ) -> Sequence[AuditLine]:
        found = await self._fetch(_TOLD.where(*conditions).limit(limit))
        return [
            AuditLine(
                owner=tenant_of(row.session_id),
                session_id=row.session_id,
                command_type=row.type.removeprefix("wa.").rpartition(".")[0],
                command_id=command_id(row.id),
                outcome=row.code or row.state,
                worker_id=row.worker_id,
                received_at=row.received_at,
                finished_at=row.finished_at,
            )
            for row in found
        ]

    async def _fetch(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        async with self._database.statement("listing commands") as connection:
            found: Sequence[Row[Any]] = (await connection.execute(statement)).fetchall()
        return found


def _place() -> Tuple:
    return tuple_(commands.c.received_at, commands.c.id)
