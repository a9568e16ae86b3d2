"""What backends have set and noted of their sessions: written by itself, for it changes rarely."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import asyncpg

from gateway_worker.storage.db.changes.steps import Step
from gateway_worker.storage.db.documents import mapping_text, model_text

Connection: TypeAlias = "asyncpg.Connection[Any]"

_WRITE: Final = """
    UPDATE sessions SET settings = COALESCE($2::text::jsonb, settings),
        labels = COALESCE($3::text::jsonb, labels),
        metadata = COALESCE($4::text::jsonb, metadata), updated_at = now()
    WHERE id = $1::text
"""
"""$1 a session that is locked; $2-4 its settings, labels and metadata; NULL leaves one alone."""


async def write_notes(connection: Connection, steps: Iterable[Step]) -> None:
    """Write new settings, labels and metadata of sessions that are locked, in order."""
    for step in steps:
        values = step.change.session
        if values is None:
            continue
        notes = (
            None if values.settings is None else model_text(values.settings),
            None if values.labels is None else mapping_text(values.labels),
            None if values.metadata is None else mapping_text(values.metadata),
        )
        if any(note is not None for note in notes):
            await connection.execute(_WRITE, step.change.session_id, *notes)
