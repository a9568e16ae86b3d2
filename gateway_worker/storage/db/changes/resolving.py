"""Commands whose uncertain end is over: somebody has shown that their message was sent.

It is told in the transaction that records what shows it, and right before it.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import asyncpg
import structlog

from gateway_contracts import CommandResolved, CommandResolvedData, Evidence, SentInfo, Topology
from gateway_worker.sessions.changes import OutboxRow, source_of
from gateway_worker.storage.db.changes import statements as sql
from gateway_worker.storage.db.changes.bodies import Draft
from gateway_worker.storage.db.changes.steps import Step
from gateway_worker.storage.db.documents import result_text

Connection: TypeAlias = "asyncpg.Connection[Any]"

log = structlog.get_logger(__name__)

_TYPE: Final = "wa.command.resolved.v1"


async def resolve(connection: Connection, steps: Iterable[Step], *, worker_id: str) -> None:
    """Give each command that has turned out to have sent its message its good end.

    Args:
        connection: The transaction.
        steps: What takes effect, in order; the first that shows it announces it, too.
        worker_id: The source of the announcement.
    """
    for step in steps:
        command_id = step.sender.command_id
        if not step.sender.is_uncertain or command_id is None or not step.drafts:
            continue
        session_id = step.change.session_id
        sent = await connection.fetchrow(sql.SHOW_SENT, session_id, command_id)
        if sent is None:  # a step before this one in the batch has shown it
            continue
        result = SentInfo(**dict(sent))
        command_type = await connection.fetchval(
            sql.RESOLVE, session_id, command_id, result_text(result)
        )
        if command_type is not None:
            step.proof = Draft.of(_event(step, command_type, result, worker_id))
            log.info("command.resolved", session_id=session_id, command_id=command_id)


def proof_id(step: Step) -> str | None:
    """Return the id of the announcement if a step makes one: the same for each attempt at it."""
    return f"{step.drafts[0].event.id}-resolved" if step.drafts else None


def stored_proof(step: Step, row: asyncpg.Record) -> OutboxRow:
    """Return an announcement as an earlier commit has stored it."""
    session_id = step.change.session_id
    return OutboxRow(
        outbox_id=row["id"],
        event_id=row["event_id"],
        type=_TYPE,
        session_id=session_id,
        routing_key=Topology.event_key(_TYPE, session_id),
        body=row["body"],
        correlation_id=row["correlation_id"],
        sequence=row["sequence"],
    )


def _event(step: Step, command_type: str, result: SentInfo, worker_id: str) -> CommandResolved:
    identity = proof_id(step)
    assert identity is not None
    return CommandResolved(
        id=identity,
        source=source_of(worker_id),
        subject=step.change.session_id,
        correlationid=step.sender.command_id,
        data=CommandResolvedData(
            command_type=command_type,
            result=result,
            evidence=Evidence.OWN_DEVICE if step.change.receipt is None else Evidence.RECEIPT,
            client_ref=step.sender.client_ref,
        ),
    )
