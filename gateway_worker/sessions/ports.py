"""What sessions need from the outside, as small protocols; the adapters are joined in `app.py`."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway_contracts import Account, SessionSettings
from gateway_contracts.commands import Pairing
from gateway_contracts.events import SessionState
from gateway_worker.sessions.changes import (
    Change,
    Committed,
    DesiredState,
    MessageRow,
    Reachout,
    TimerRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMarker:
    """A change of owner that is not over: not all that was published before it has an outcome.

    Attributes:
        epoch: The one that began with this change of owner; the marker has it too.
        queue_of: The former owner, in whose queue commands of the session may still be.
        left: The marker has been there: nothing of the session in that queue is older than it.
        given: The former owner handed it over in good order; otherwise it was taken over.
    """

    epoch: int
    queue_of: str
    left: bool = False
    given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Who owns a session, and what of its former owners' queues has not arrived.

    `worker_id` is None if there is no such session, or if nobody has ever owned it. `pending` has
    the oldest change of owner first; each one's session went to the worker that the next one names,
    the last one's to the owner.
    """

    worker_id: str | None = None
    epoch: int = 0
    pending: tuple[PendingMarker, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session as the database has it.

    `worker_id` is the last owner; it may be dead. `pending` has the oldest change of owner first.
    `first_epoch` is the one with which it was created: what has an older one belongs to a session
    of the same name that was deleted.
    """

    session_id: str
    state: SessionState
    desired: DesiredState
    pairing: Pairing
    device_name: str
    labels: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    settings: SessionSettings = field(default_factory=SessionSettings)
    account: Account | None = None
    worker_id: str | None = None
    epoch: int = 0
    first_epoch: int = 1
    created_at: datetime
    tenant_id: str | None = None
    pending: tuple[PendingMarker, ...] = ()
    reachout: Reachout = field(default_factory=Reachout)

    @property
    def was_given(self) -> bool:
        """Whether the owner has it from a worker that handed it over, and not all has come yet."""
        return any(marker.given and marker.epoch == self.epoch for marker in self.pending)

    @property
    def whereabouts(self) -> Whereabouts:
        """Who owns it, and what has not arrived."""
        return Whereabouts(worker_id=self.worker_id, epoch=self.epoch, pending=self.pending)


class PastMessages(Protocol):
    """Writes messages from before an account was linked."""

    async def write(self, session_id: str, *, epoch: int, rows: Sequence[MessageRow]) -> bool:
        """Write those that are not stored yet; False if another worker owns the session by now.

        Raises:
            DependencyError: Nothing is written.
            GatewayError: The database refuses something; nothing is written.
        """
        ...

    async def erased(self, session_id: str, ids: Collection[str]) -> Mapping[str, datetime]:
        """Return which of the ids are of people who were erased from a session, and when.

        Raises:
            DependencyError: It cannot be asked.
        """
        ...


class SessionStore(Protocol):
    """The sessions table. Every call may raise `DependencyError`."""

    async def create(self, row: SessionRow) -> SessionRow | None:
        """Insert a session owned by `row.worker_id`; None if the id is taken.

        Epochs and sequence numbers go on where a deleted session of the same name had ended.
        """
        ...

    async def get(self, session_id: str) -> SessionRow | None:
        """Return a session or None."""
        ...

    async def was_deleted(self, session_id: str) -> bool:
        """Whether there was a session of this name that has been deleted."""
        ...

    async def owned_by(self, worker_id: str) -> Sequence[SessionRow]:
        """Return the sessions that this worker owns, the oldest first."""
        ...

    async def claim(self, session_id: str, worker_id: str) -> SessionRow | None:
        """Take a session that nobody else owns, raising its epoch; None if another has it.

        What is pending stays pending.
        """
        ...

    async def take_over(
        self, worker_id: str, *, limit: int, linked: bool = True
    ) -> Sequence[SessionRow]:
        """Take at most `limit` sessions of workers whose lease has ended, the oldest first.

        Without `linked` only those that have no account, and so no device store to go with them.

        Running and stopped ones alike, with the next epoch, one more pending marker and their
        unpublished events. Never more than the worker has room for; none if its own lease is not
        valid, or it drains, or the database has just started. Several workers may call it at once
        and get different sessions. After a `DependencyError` sessions may have been taken all the
        same: `owned_by` has them.
        """
        ...

    async def stranded(self, *, after_seconds: float, limit: int) -> Sequence[SessionRow]:
        """Return sessions whose worker's lease ended so long ago, and that nobody has taken."""
        ...

    async def strand(
        self, session_id: str, worker_id: str, *, after_seconds: float
    ) -> SessionRow | None:
        """Return a session if it is stranded; its unpublished events are this worker's then.

        Its owner stays its owner: it may come back.
        """
        ...

    async def is_first(self, worker_id: str) -> bool:
        """Whether this worker is the first by name of those that live."""
        ...

    async def orphans(self) -> int:
        """Return how many sessions could be taken over now."""
        ...

    async def fair_share(self, worker_id: str) -> int:
        """Return how many of them would make a worker as full as the others that take some."""
        ...

    async def marker_left(self, session_id: str, *, marker_epoch: int) -> None:
        """Note that a marker has come out of the queue of its entry. Idempotent."""
        ...

    async def markers_passed(self, session_id: str, *, epoch: int, up_to: int) -> bool:
        """Note that the changes of owner up to the epoch `up_to` are over; their entries go.

        False if the session has another epoch than `epoch`. Idempotent: True also if none of them
        is pending (any more).
        """
        ...

    async def place(self, *, without: str) -> str | None:
        """Return the live worker, other than `without`, that is the least full; None if none is.

        Draining and full ones do not count.
        """
        ...

    async def takes(self, worker_id: str) -> bool:
        """Whether a worker is live, not draining, and has room for one more session."""
        ...

    async def room(self) -> int:
        """Return how many more sessions all live, not draining workers together can have."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Which sessions are wanted; an empty part wants all.

    Attributes:
        states: One of these.
        labels: All of these.
        worker_id: Who has them.
        tenant: Whose they are.
    """

    states: tuple[SessionState, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    worker_id: str | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEntry:
    """A session as the database has it, and whether its worker is gone."""

    row: SessionRow
    is_lost: bool


class SessionCatalog(Protocol):
    """The sessions of the fleet."""

    async def page(
        self, wanted: SessionFilter, *, after: str, limit: int
    ) -> Sequence[SessionEntry]:
        """Return the first sessions behind a name, in the order of names."""
        ...


class MessageStore(Protocol):
    """Look-ups in the history."""

    async def timers(self, session_id: str) -> Sequence[TimerRow]:
        """Return what each chat of a session is set to, as far as anything was ever said of it."""
        ...

    async def find(
        self, session_id: str, *, chats: Sequence[str], message_id: str
    ) -> Sequence[MessageRow]:
        """Return what has an id in a chat, the newest first; mostly one, in groups perhaps several.

        Args:
            session_id: Whose chat.
            chats: The ids of the one chat, under any of which it may be stored.
            message_id: Unique within the chat and its writer only.
        """
        ...

    async def knows(self, session_id: str, *, chats: Sequence[str]) -> bool:
        """Whether there has been a message in one of these chats, however long ago."""
        ...


class Recorder(Protocol):
    """The one way in which anything is written about a session."""

    def record(self, change: Change) -> "asyncio.Future[Committed]":
        """Queue a change and return at once; the future is done when it is committed.

        Changes are committed in the order of the calls. While the database is unavailable the
        future waits; it is cancelled only when the worker stops.
        """
        ...


class EventRelay(Protocol):
    """The relay of this worker."""

    @property
    def is_behind(self) -> bool:
        """Whether more events wait for the broker than go out in a moment. Cheap."""
        ...

    async def adopt(self, session_ids: Sequence[str]) -> None:
        """Publish what former owners of these sessions have left in the outbox.

        Returns when it is queued before anything that is recorded from now on.
        """
        ...

    async def adopt_strays(self) -> None:
        """Publish what dead workers have left of sessions that are gone.

        Raises:
            DependencyError: The database cannot be asked now.
        """
        ...


# Routes and snapshots.


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentQr:
    """The QR code that can be scanned now."""

    code: str
    expires_at: datetime


class RouteCache(Protocol):
    """The table in the cache that backends may read. Never raises: it is rebuilt from the rows."""

    async def put(
        self, session_id: str, *, worker_id: str, state: SessionState, epoch: int
    ) -> None:
        """Say where a session lives and how it stands."""
        ...

    async def put_qr(self, session_id: str, qr: CurrentQr | None) -> None:
        """Keep the last QR code until it expires; None forgets it."""
        ...

    async def remove(self, session_id: str) -> None:
        """Forget a session: route and QR code."""
        ...


class CommandBindings(Protocol):
    """The broker's bindings from a session's key to this worker's queue."""

    async def bind(self, session_id: str) -> None:
        """Route the session's commands here. Raises `DependencyError`; idempotent."""
        ...

    async def unbind(self, session_id: str) -> None:
        """Stop routing the session's commands here. Raises `DependencyError`; idempotent."""
        ...

    async def unbind_from(self, session_id: str, worker_id: str) -> None:
        """Stop routing them to another worker. Raises `DependencyError`; idempotent."""
        ...

    async def unbind_disowned(self, session_id: str) -> None:
        """Stop routing them here if the session was disowned. Raises `DependencyError`."""
        ...

    def disown(self, session_id: str) -> None:
        """Leave the binding to the session's new owner: never make it again here."""
        ...

    async def is_listening(self, worker_id: str) -> bool:
        """Whether a worker takes what comes for it; one that has just died does not.

        Raises `DependencyError`.
        """
        ...


class MediaFiles(Protocol):
    """The files that came with messages, outside of the database."""

    async def remove(self, session_id: str) -> None:
        """Remove a session's files, also those that are just being fetched. Idempotent.

        Raises:
            DependencyError: Not all of them are removed.
        """
        ...


class DeviceSnapshots(Protocol):
    """Copies of device stores outside of this machine, as far as they are needed."""

    @property
    def are_needed(self) -> bool:
        """Whether a session that comes from another worker needs its copy to go on."""
        ...

    @property
    def are_portable(self) -> bool:
        """Whether sessions can go to other workers at all."""
        ...

    async def save(
        self, session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> bool:
        """Copy the session's files, unless a later owner has copied its own. They may be in use.

        Args:
            session_id: Whose they are.
            directory: Where they are.
            epoch: Under which the session is owned here.
            again: This process has made a copy under this epoch just now, and only the newest is
                missing: it is made in as few steps as possible, for the session waits.

        Returns:
            Whether the copy is stored, was read back, and is the newest there is. If not, that is
            told as an error, with the reason, unless no copies are made at all.

        Raises:
            DependencyError: No copy was made; those there before still are.
        """
        ...

    async def holds(self, session_id: str, *, epoch: int) -> bool:
        """Whether a copy by that owner or a later one can be used: it is read and opened now.

        Raises:
            DependencyError: The copies cannot be read now.
        """
        ...

    async def restore(self, session_id: str, directory: Path, *, replace: bool = False) -> bool:
        """Bring back the newest copy of the last owner that made one; says whether it did.

        Args:
            session_id: Whose it is.
            directory: Where to; what it lacks is brought.
            replace: Put the copy in place of a store that is there; else that one is kept, and the
                answer is False.

        Raises:
            DependencyError: The copies cannot be read now, none of them is usable, or a host still
                uses the directory; nothing was changed.
        """
        ...

    async def delete(self, session_id: str) -> None:
        """Remove every copy. Raises `DependencyError`; idempotent."""
        ...
