"""What is done later: commands that wait in the database, and the bulks that many are rows of."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from gateway_contracts import BulkReason, BulkState


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredKey:
    """Names a command that waits, within its session.

    Attributes:
        batch: The command's own id, if it is alone; of a bulk's row the bulk's `load`.
        row: Which row of the bulk, from 1; 0 for a command of its own.
    """

    batch: str
    row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredRow:
    """A command that is put off until its time has come.

    Attributes:
        command_id: Its id, under which it is in the inbox too: its repeats find it there.
        command_type: Its type.
        fingerprint: What it says.
        due_at: When it is to be executed.
        body: The command as it came.
    """

    command_id: str
    command_type: str
    fingerprint: str
    due_at: datetime
    body: bytes = field(repr=False)


class RowState(StrEnum):
    """What has become of a command that was put off."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredEnd:
    """The end of one: its row goes with the outcome, and its bulk counts it."""

    key: DeferredKey
    state: RowState


BULK_OVER: Final = frozenset({BulkState.CANCELLED, BulkState.FINISHED})
"""Nothing comes after these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """A bulk as the database has it.

    Attributes:
        bulk_id: The id of the command that made it.
        load: Names the rows that were stored for it: a run of that command that was interrupted
            may have left others.
        state: How it stands.
        rows: How many there are.
        options: What its rows have in common.
        reason: Why it was paused, if that was not its backend's wish.
        succeeded: How many rows have ended so.
        failed: Likewise.
        uncertain: Likewise.
        cancelled: How many are not sent.
        created_at: When it was made.
        starts_at: Not before that it begins.
        finished_at: When it was over.
        result_key: Where its result is, once it is over.
    """

    bulk_id: str
    load: str
    state: BulkState
    rows: int
    options: dict[str, Any] = field(repr=False)
    reason: BulkReason | None = None
    succeeded: int = 0
    failed: int = 0
    uncertain: int = 0
    cancelled: int = 0
    created_at: datetime | None = None
    starts_at: datetime | None = None
    finished_at: datetime | None = None
    result_key: str | None = None

    @property
    def ended(self) -> int:
        """How many rows have their end."""
        return self.succeeded + self.failed + self.uncertain + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkUpdate:
    """A bulk changes its state; nothing of the step is written if it is in none of `before`.

    Attributes:
        bulk_id: Which.
        before: The states that it may come from.
        state: How it stands from now on.
        reason: Why.
        result_key: Where the result is, once it is over.
    """

    bulk_id: str
    before: frozenset[BulkState]
    state: BulkState
    reason: BulkReason | None = None
    result_key: str | None = None
