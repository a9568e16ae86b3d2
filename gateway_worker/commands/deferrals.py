"""What is executed later, as commands see it: what waits, and what may be done about it."""

from collections.abc import AsyncGenerator, AsyncIterable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway_contracts import (
    BulkCheck,
    BulkCreate,
    BulkInfo,
    BulkResultFile,
    BulkState,
    ObjectSource,
    SessionEvent,
    UploadSource,
)
from gateway_worker.sessions.deferred import Bulk, DeferredKey
from gateway_worker.sessions.session.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A command that waits for its time.

    Attributes:
        session_id: Whose it is.
        key: Its place.
        due_at: When it is to be executed.
        body: The command as it came.
    """

    session_id: str
    key: DeferredKey
    due_at: datetime
    body: bytes = field(repr=False)


class DeferredStore(Protocol):
    """The table of deferred commands; it is written with the changes of their sessions.

    Every call may raise `DependencyError`.
    """

    async def due(
        self, session_ids: Sequence[str], *, until: datetime, limit: int
    ) -> Sequence[Waiting]:
        """Return at most `limit` commands of each session that are due by then, the oldest first.

        The rows of bulks are not among them.
        """
        ...

    async def page(
        self, session_id: str, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Waiting]:
        """Return what is scheduled, the next due first.

        Args:
            session_id: Whose.
            after: The time and the id of the one before the first.
            limit: How many at most.
        """
        ...

    async def get(self, session_id: str, command_id: str) -> Waiting | None:
        """Return one that is scheduled, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBody:
    """A row of a bulk: its number, from 1, and what it says (a `BulkRow` of the contract)."""

    row: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRow:
    """How a row has ended: its state in the inbox (None if it never began), and its outcome."""

    row: int
    state: str | None
    outcome: Mapping[str, Any] = field(repr=False)


class BulkStore(Protocol):
    """Bulks and their rows. Every call may raise `DependencyError`."""

    async def load(self, session_id: str, load: str, rows: Sequence[RowBody]) -> None:
        """Store rows that no bulk has yet.

        Args:
            session_id: Whose.
            load: A name that nothing else has; the bulk that names it gets them.
            rows: What is stored; if that fails, it is not done again under the same name.
        """
        ...

    async def open_bulks(self, session_ids: Sequence[str]) -> Sequence[tuple[str, Bulk]]:
        """Return the bulks of sessions that are not over, the oldest first, with their sessions."""
        ...

    async def get(self, session_id: str, bulk_id: str) -> Bulk | None:
        """Return a bulk or None."""
        ...

    async def rows(
        self, session_id: str, load: str, *, after: int, limit: int
    ) -> Sequence[RowBody]:
        """Return the next rows that wait, in order, beyond the row `after`."""
        ...

    async def begun(self, session_id: str, bulk: Bulk) -> Sequence[RowBody]:
        """Return the rows that are executing in the inbox, whoever was executing them."""
        ...

    async def sweep(self, session_id: str, bulk: Bulk, *, epoch: int, limit: int) -> bool:
        """Let go of rows of a bulk that is cancelling, and count them; False if none is left.

        Does nothing if the session has another epoch.
        """
        ...

    async def cancel_to(
        self,
        session_id: str,
        bulk: Bulk,
        *,
        to: Sequence[str],
        but: Collection[int],
        epoch: int,
    ) -> int:
        """Let go of the rows of a bulk to some recipients, and count them as cancelled.

        Args:
            session_id: Whose.
            bulk: Which.
            to: The recipients, as rows may name them.
            but: Rows that have their own end; so have those that are executing in the inbox.
            epoch: The session's; if it has another one, nothing is done.
        """
        ...

    async def ended(
        self, session_id: str, bulk_id: str, *, first: int, last: int
    ) -> Sequence[EndedRow]:
        """Return how the rows from `first` to `last` have ended, in order."""
        ...

    async def aged(
        self, *, keep_seconds: float, limit: int
    ) -> Sequence[tuple[str, str, str | None]]:
        """Return session, id and result of bulks that were over so long ago."""
        ...

    async def forget(self, bulks: Sequence[tuple[str, str, str | None]]) -> None:
        """Delete bulks."""
        ...

    async def prune_rows(self, *, before: str, limit: int) -> int:
        """Delete rows of loads with an earlier name that belong to no bulk; returns how many."""
        ...


class BulkFiles(Protocol):
    """Files of rows and of results in the bucket. Every call may raise `DependencyError`."""

    def read(
        self, session_id: str, media: ObjectSource | UploadSource
    ) -> AsyncGenerator[bytes, None]:
        """Return a file piece by piece.

        Args:
            session_id: Whose rows are in it.
            media: Where it is.

        Raises:
            MediaUnavailableError: It is not there.
        """
        ...

    async def write(self, key: str, chunks: AsyncIterable[bytes]) -> None:
        """Store a file over whatever was there."""
        ...

    async def told(self, key: str) -> BulkResultFile:
        """Return a file with a URL to read it at."""
        ...


class Bulks(Protocol):
    """What may be done about bulks. Every call may raise `DependencyError`."""

    async def create(self, session: Session, command: BulkCreate) -> Bulk | BulkCheck:
        """Store the rows of a bulk that is to be committed, or check them if it is a dry run.

        Raises:
            FaultyRowsError: It cannot be sent as it stands; nothing is.
            InvalidCommandError: Likewise.
            MediaUnavailableError: Its file is not there.
        """
        ...

    def look_again(self) -> None:
        """Begin with a bulk that has just been committed."""
        ...

    async def change(self, session: Session, bulk_id: str, state: BulkState) -> Bulk:
        """Have a bulk run, paused or cancelling; one that is over stays so.

        Raises:
            InvalidCommandError: There is none of this id.
        """
        ...

    async def info(self, session_id: str, bulk_id: str) -> BulkInfo:
        """Return how one stands.

        Raises:
            InvalidCommandError: There is none of this id.
        """
        ...

    def told(self, bulk: Bulk) -> BulkInfo:
        """Return one as it is told."""
        ...

    async def forget(
        self, session_id: str, command_ids: Sequence[str], *, numbers: Sequence[str]
    ) -> None:
        """Leave a person out of the results of those bulks that these commands are rows of.

        Args:
            session_id: Whose.
            command_ids: Commands to the person, of whatever kind.
            numbers: What the person's ids begin with.
        """
        ...


class Deferrals(Protocol):
    """What may be done about what waits. Every call may raise `DependencyError`."""

    async def page(
        self, session_id: str, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Waiting]:
        """Return what is scheduled, the next due first; see `DeferredStore`."""
        ...

    async def cancel(self, session: Session, command_id: str) -> None:
        """End a scheduled command as `cancelled`. Does nothing if it has ended so already.

        Raises:
            InvalidCommandError: It is not scheduled, or has begun, or has ended otherwise.
        """
        ...

    def close(self, session: Session) -> None:
        """Take on nothing more for a session: it is being deleted."""
        ...

    def reopen(self, session: Session) -> None:
        """Take on more after all."""
        ...

    async def cancel_all(self, session: Session) -> int:
        """End all that waits as `cancelled`; returns how many there were.

        What may have begun at a worker that is gone ends as `uncertain`.
        """
        ...

    async def cancel_to(self, session: Session, ids: Collection[str]) -> int:
        """End what waits for a person, rows of bulks too, as `cancelled`; returns how many.

        What was handed on already has its own end.

        Args:
            session: Whose.
            ids: The ids of the person.
        """
        ...

    async def farewells(self, session_id: str) -> Sequence[SessionEvent]:
        """Return what is to be told of all that waits in a session that is deleted.

        For whoever deletes it without running it: the rows go with the session.
        """
        ...
