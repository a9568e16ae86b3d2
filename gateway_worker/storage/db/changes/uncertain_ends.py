"""Commands that end as uncertain when it is known by then what became of them.

What a former owner's disk tells of a command without an end is kept with it for the run that takes
it up. One that had looked before ends without it. And what shows that the message of such a command
was sent may be here already. So with an uncertain end it is looked for both, and the good end comes
in the same transaction, right after that one.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg
import structlog

from gateway_contracts import CommandResolved
from gateway_worker.sessions.changes import Outcome, source_of
from gateway_worker.sessions.found_sends import FoundSend
from gateway_worker.storage.db.changes.bodies import Draft
from gateway_worker.storage.db.changes.found_sends import name_message, settle
from gateway_worker.storage.db.changes.steps import Step, beside_id, is_uncertain_end
from gateway_worker.storage.db.command_keys import command_key
from gateway_worker.storage.db.documents import read_found

Connection: TypeAlias = "asyncpg.Connection[Any]"

log = structlog.get_logger(__name__)

KEPT: Final = """
    SELECT c.id, c.outcome FROM unnest($1::text[], $2::text[]) AS u(id, session_id)
    JOIN commands AS c ON c.id = u.id AND c.session_id = u.session_id
    WHERE c.state = 'executing' AND c.outcome IS NOT NULL
"""
"""$1-2 commands and their sessions, which are locked. Returns what is kept with those without an
end."""


class Unclear(NamedTuple):
    """A step that ends a command as uncertain, and which message is known to be the command's."""

    step: Step
    found: FoundSend


async def told_of_ends(connection: Connection, steps: Iterable[Step]) -> Sequence[Unclear]:
    """Return what is known of the commands that end as uncertain; call it before they do.

    Args:
        connection: The transaction; the sessions are locked.
        steps: What takes effect, in order.
    """
    ends = [
        (step, command_key(step.change.session_id, outcome.command_id), outcome)
        for step in steps
        if is_uncertain_end(step.change) and (outcome := step.change.outcome) is not None
    ]
    if not ends:
        return ()
    sessions = [step.change.session_id for step, _, _ in ends]
    rows = await connection.fetch(KEPT, [key for _, key, _ in ends], sessions)
    kept = {row["id"]: read_found(row["outcome"] or {}) for row in rows}
    known = [(step, kept.get(key) or _named(outcome)) for step, key, outcome in ends]
    return [Unclear(step, found) for step, found in known if found is not None]


def _named(outcome: Outcome) -> FoundSend | None:
    """Return the message that an end names itself."""
    if outcome.chat is None or outcome.message_id is None:
        return None
    return FoundSend(
        command_id=outcome.command_id, chat=outcome.chat, message_id=outcome.message_id
    )


async def resolve_ends(
    connection: Connection, unclear: Iterable[Unclear], *, worker_id: str
) -> None:
    """Give the commands of which enough is known their good end, after the uncertain one.

    Args:
        connection: The transaction; what its steps tell of people is written.
        unclear: What `told_of_ends` has returned.
        worker_id: The source of the announcements.
    """
    for step, found in unclear:
        if not step.live:  # it has an end already, or another owner
            continue
        session_id, outcome = step.change.session_id, step.change.outcome
        if outcome is not None and _named(outcome) is None:
            await name_message(connection, session_id, found)
        resolved = await settle(connection, session_id, found)
        if resolved is None:
            continue
        event = found.resolved(source=source_of(worker_id), session_id=session_id)
        identity = beside_id(step.drafts[0].event.id, CommandResolved)
        step.behind.append(Draft.of(resolved.told_in(event.model_copy(update={"id": identity}))))
        log.info("command.resolved", session_id=session_id, command_id=found.command_id)
