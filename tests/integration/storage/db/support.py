"""Rows and changes to write, and short ways to see what a database has."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from gateway_contracts import (
    CommandFailed,
    CommandFailedData,
    CommandSucceeded,
    CommandSucceededData,
    Done,
    ErrorBody,
    ErrorCode,
    MessageData,
    MessageReceipt,
    MessageReceiptData,
    MessageReceived,
    PairByQr,
    Participant,
    ReceiptStatus,
    SessionState,
    SessionStatus,
    SessionStatusData,
    StatusReason,
    TextContent,
)
from gateway_worker.commands.ports import Received
from gateway_worker.sessions.changes import (
    Change,
    Committed,
    DesiredState,
    Direction,
    MessageRow,
    OutboxRow,
    Outcome,
    ReceiptRow,
    SessionValues,
    Transfer,
)
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.storage.db import (
    Database,
    DatabaseSettings,
    PostgresSessionStore,
    PostgresWorkerStore,
)

WORKER, OTHER = "w", "other"
SOURCE = f"/workers/{WORKER}"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHAT = "12025550102@s.whatsapp.net"
SEND = "wa.message.send.v1"


@asynccontextmanager
async def opened(url: str, *rows: SessionRow, **seconds: float) -> AsyncIterator[Database]:
    """Open a database with these sessions in it; `seconds` are settings."""
    settings = DatabaseSettings.model_validate({"url": url, **seconds})
    async with Database(settings=settings) as database:
        for row in rows:
            await PostgresSessionStore(database=database).create(row)
        yield database


def session_row(session_id: str, **values: Any) -> SessionRow:
    """Return a session of WORKER as it is created."""
    return SessionRow(
        **{
            "session_id": session_id,
            "state": SessionState.CREATED,
            "desired": DesiredState.RUNNING,
            "pairing": PairByQr(),
            "device_name": "Gateway",
            "worker_id": WORKER,
            "created_at": NOW,
            **values,
        }
    )


def message(
    number: int,
    *,
    session: str = "s",
    epoch: int = 1,
    words: str = "hi",
    chat: str = CHAT,
    **row: Any,
) -> Change:
    """Return the arrival of one message, with values of its row."""
    content, message_id = TextContent(text=words), f"M{number}"
    data = MessageData(
        message_id=message_id,
        chat=CHAT,
        sender=Participant(jid=CHAT),
        timestamp=NOW,
        content=content,
    )
    return Change(
        session_id=session,
        epoch=epoch,
        events=(MessageReceived(source=SOURCE, subject=session, data=data),),
        message=MessageRow(
            **{
                "chat": chat,
                "message_id": message_id,
                "direction": Direction.IN,
                "sender": CHAT,
                "content": content,
                "timestamp": NOW,
                **row,
            }
        ),
    )


def receipt(
    number: int,
    status: ReceiptStatus = ReceiptStatus.DELIVERED,
    *,
    participant: str = CHAT,
    chat: str = CHAT,
    **row: Any,
) -> Change:
    """Return news of a message that was sent, with values of its row."""
    data = MessageReceiptData(
        message_id=f"M{number}",
        chat=CHAT,
        status=status,
        participant=Participant(jid=participant),
        timestamp=NOW,
    )
    return Change(
        session_id="s",
        epoch=1,
        events=(MessageReceipt(source=SOURCE, subject="s", data=data),),
        receipt=ReceiptRow(
            chat=chat,
            message_id=f"M{number}",
            participant=participant,
            status=status,
            timestamp=NOW,
            **row,
        ),
    )


def status(
    state: SessionState = SessionState.CONNECTING, *, session: str = "s", **update: Any
) -> Change:
    """Return a session's step to another state."""
    data = SessionStatusData(state=state, reason=StatusReason.REQUESTED, worker=WORKER)
    return Change(
        session_id=session,
        epoch=1,
        events=(SessionStatus(source=SOURCE, subject=session, data=data),),
        session=SessionValues(state=state, **update),
    )


def finished(command_id: str, *, session: str = "s", epoch: int | None = 1, **more: Any) -> Change:
    """Return the good end of a command."""
    data = CommandSucceededData(command_type=SEND, result=Done())
    event = CommandSucceeded(source=SOURCE, subject=session, correlationid=command_id, data=data)
    outcome = Outcome(command_id=command_id, command_type=SEND, result=Done())
    return Change(session_id=session, epoch=epoch, events=(event,), outcome=outcome, **more)


def failed(command_id: str, *, session: str = "nowhere") -> Change:
    """Return the end of a command for a session that this worker does not have."""
    error = ErrorBody.of(ErrorCode.SESSION_NOT_FOUND, "there is no such session")
    data = CommandFailedData(command_type=SEND, error=error, attempts=1)
    event = CommandFailed(source=SOURCE, subject=session, correlationid=command_id, data=data)
    outcome = Outcome(command_id=command_id, command_type=SEND, error=error)
    return Change(session_id=session, epoch=None, events=(event,), outcome=outcome)


def uncertain(command_id: str, number: int) -> Change:
    """Return the end of a send whose message, if it was sent, has this number."""
    error = ErrorBody.of(ErrorCode.UNCERTAIN, "so")
    data = CommandFailedData(command_type=SEND, error=error, message_id=f"M{number}", chat=CHAT)
    event = CommandFailed(source=SOURCE, subject="s", correlationid=command_id, data=data)
    outcome = Outcome(
        command_id=command_id, command_type=SEND, error=error, message_id=f"M{number}", chat=CHAT
    )
    sent = message(
        number,
        direction=Direction.OUT,
        sender="me:1@s.whatsapp.net",
        command_id=command_id,
        client_ref=f"ref-{command_id}",
        is_uncertain=True,
    )
    return replace(sent, events=(event,), outcome=outcome)


def received(
    command_id: str,
    session: str = "s",
    *,
    worker: str = WORKER,
    epoch: int | None = None,
    said: str | None = None,
    ref: str | None = None,
) -> Received:
    """Return a command to enter."""
    return Received(
        command_id=command_id,
        session_id=session,
        command_type=SEND,
        worker_id=worker,
        epoch=epoch,
        fingerprint=said,
        client_ref=ref,
    )


def handed(to_worker: str, command_id: str = "m", *, session: str = "s", epoch: int = 1) -> Change:
    """Return the end of a command that gives the session to another worker."""
    return finished(
        command_id, session=session, epoch=epoch, transfer=Transfer(to_worker=to_worker)
    )


async def registered(
    database: Database, worker_id: str = WORKER, *, capacity: int = 50
) -> PostgresWorkerStore:
    """Return a live worker; its lease outlasts the test."""
    workers = PostgresWorkerStore(database=database, worker_id=worker_id, lease_seconds=900)
    await workers.register(version="1.0", capacity=capacity)
    return workers


async def expire(database: Database, worker_id: str = WORKER, *, ago: str = "1 s") -> None:
    """Let a worker's lease have ended some time ago, for a database that runs for longer."""
    changed = await value(
        database,
        f"""UPDATE workers SET lease_expires_at = now() - interval '{ago}', lease_seconds = 0
        WHERE id = '{worker_id}' RETURNING id""",
    )
    assert changed == worker_id


def numbers(rows: Sequence[OutboxRow]) -> list[int | None]:
    """Return the sequence of each event as its body has it."""
    sequences = [json.loads(row.body).get("sequence") for row in rows]
    return [None if sequence is None else int(sequence) for sequence in sequences]


def rows_of(answers: Sequence[Committed]) -> list[OutboxRow]:
    """Return all events of a commit, in order."""
    return [row for answer in answers for row in answer.rows]


async def count(database: Database, table: str) -> int:
    """Return how many rows a table has."""
    return int(await value(database, f"SELECT count(*) FROM {table}"))


async def value(database: Database, query: str) -> Any:
    """Return the one value of a query."""
    async with database.statement("looking") as connection:
        return await connection.scalar(text(query))


async def waiting(database: Database, what: str) -> bool:
    """Tell whether a statement with these words waits for another transaction."""
    query = f"""
        SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
        AND datname = current_database() AND query LIKE '%{what}%')
    """
    return bool(await value(database, query))
