"""What fetching files needs from the outside."""

from collections.abc import AsyncIterable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway_contracts import MediaFailed, MediaReady
from gateway_worker.media.arriving.records import MediaRow, MediaUpdate


class Seal(Protocol):
    """Encrypts what nobody may read who can only read the database."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt; `context` says whose data it is and is needed to open it."""
        ...

    def open(self, envelope: bytes, *, context: str) -> bytes:
        """Decrypt. Raises `PermanentError` if it cannot be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A file that a former owner, or an earlier life, has left to be fetched."""

    session_id: str
    media_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """A file that is older than it has to be.

    Attributes:
        session_id: Whose it is.
        media_id: Its id.
        keys: Its objects that no younger file shares.
    """

    session_id: str
    media_id: str
    keys: tuple[str, ...]


class MediaTable(Protocol):
    """The table of arrived files; it is written with the changes. May raise `DependencyError`."""

    async def get(self, session_id: str, media_id: str) -> MediaRow | None:
        """Return a file or None."""
        ...

    async def waiting(self, session_ids: Collection[str], *, limit: int) -> Sequence[Waiting]:
        """Return files that are to be fetched: the oldest of each session, then the next ones."""
        ...

    async def aged(self, *, keep_seconds: float, limit: int) -> Sequence[Aged]:
        """Return files that came longer ago than that, the oldest first."""
        ...

    async def forget(self, files: Sequence[Aged]) -> None:
        """Delete their rows."""
        ...


class ObjectHead(Protocol):
    """What the store says of an object."""

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        ...


class ObjectStore(Protocol):
    """Where files are kept. May raise `DependencyError`."""

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, content_type: str) -> int:
        """Store what comes; nothing of it if `chunks` raises, which comes out of this call."""
        ...

    async def head(self, key: str, *, is_sure: bool = True) -> ObjectHead | None:
        """Return what there is of an object; None if there is none.

        Args:
            key: Which one.
            is_sure: Whether somebody is told that there is none; else it may be there after all.
        """
        ...

    async def presign_get(
        self, key: str, *, valid_seconds: int, file_name: str | None = None
    ) -> str:
        """Return a URL at which anybody can read an object for a while; asks nobody."""
        ...

    async def delete(self, *keys: str) -> None:
        """Remove objects; those that are not there count as removed."""
        ...

    async def delete_prefix(self, prefix: str, *, before: datetime | None = None) -> int:
        """Remove what begins so, also what is half written; returns how many objects there were."""
        ...


class Owner(Protocol):
    """The sessions of this worker, as far as their files go."""

    def owned(self) -> Collection[str]:
        """Return the ids of the sessions that this worker owns."""
        ...

    def epoch_of(self, session_id: str) -> int | None:
        """Return under which epoch it owns one, None if it does not.

        One that is created under the name of a deleted one has another.
        """
        ...

    async def record(
        self, session_id: str, event: MediaReady | MediaFailed, update: MediaUpdate
    ) -> bool:
        """Commit what became of a file; False if the session is not this worker's any more."""
        ...


class MediaObserver(Protocol):
    """Counts. Cheap; never raises."""

    def media_fetched(self, *, size_bytes: int, seconds: float) -> None:
        """A file has come, in so many seconds; 0 bytes if it was there already."""
        ...

    def media_failed(self, code: str) -> None:
        """An attempt to fetch a file has failed."""
        ...
