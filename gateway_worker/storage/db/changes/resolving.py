"""Commands whose uncertain end is over: somebody has shown that their message was sent.

It is told in the transaction that records what shows it, and right before it.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

import asyncpg
import structlog

from gateway_contracts import (
    CommandResolved,
    CommandResolvedData,
    Evidence,
    SentInfo,
    StatusInfo,
)
from gateway_worker.sessions.changes import source_of
from gateway_worker.sessions.found_sends import sent_info
from gateway_worker.storage.db.changes import statements as sql
from gateway_worker.storage.db.changes.bodies import Draft
from gateway_worker.storage.db.changes.steps import Step, beside_id
from gateway_worker.storage.db.command_keys import command_key
from gateway_worker.storage.db.documents import result_text

Connection: TypeAlias = "asyncpg.Connection[Any]"

log = structlog.get_logger(__name__)


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
        result = sent_info(**dict(sent))
        command_type = await connection.fetchval(  # its client_ref is the sender's
            sql.RESOLVE, session_id, command_key(session_id, command_id), result_text(result)
        )
        if command_type is not None:
            step.ahead.append(Draft.of(_event(step, command_type, result, worker_id)))
            log.info("command.resolved", session_id=session_id, command_id=command_id)


def _event(
    step: Step, command_type: str, result: SentInfo | StatusInfo, worker_id: str
) -> CommandResolved:
    return CommandResolved(
        id=beside_id(step.drafts[0].event.id, CommandResolved),
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
