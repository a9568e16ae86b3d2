"""Files that backends put into the bucket themselves, to send them later, perhaps several times."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gateway_worker.errors import MediaUnavailableError
from gateway_worker.media.allowance import MediaAllowance
from gateway_worker.media.objects import UPLOADS, UploadStore, uploads_of
from gateway_worker.runtime.clock import Clock

_ID_BYTES: Final = 16
_UNFINISHED: Final = timedelta(days=1)
"""Longer than anybody writes one object."""
_PRUNE_SECONDS: Final = 3600.0
"""Between two looks for what is too old: each lists all that there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadUrl:
    """Where a backend can put one file.

    Attributes:
        media_id: Names it afterwards.
        url: Where; whoever knows it may write, so it is in no log.
        headers: What the request has to say, exactly.
        expires_at: Until when the request has to begin.
    """

    media_id: str
    url: str = field(repr=False)
    headers: Mapping[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that a backend has put into the bucket.

    Attributes:
        key: Where.
        size_bytes: How large it is.
    """

    key: str
    size_bytes: int


class Uploads:
    """Gives ids and places to files, and finds them again for as long as they are valid.

    Nothing is noted anywhere else: the bucket has each file under its id, with the type and the
    size that its URL was bound to.

    Args:
        store: The bucket.
        allowance: How many bytes each tenant may send.
        clock: The time.
        url_seconds: How long a URL can be used.
        keep_seconds: How long a file can be sent after it was put there.
    """

    def __init__(
        self,
        *,
        store: UploadStore,
        allowance: MediaAllowance,
        clock: Clock,
        url_seconds: int,
        keep_seconds: int,
    ) -> None:
        self._store = store
        self._allowance = allowance
        self._clock = clock
        self._url_seconds = url_seconds
        self._keep = timedelta(seconds=keep_seconds)
        self._prune_at = 0.0

    async def offer(
        self, session_id: str, *, mime_type: str, size: int, sha256: str | None
    ) -> UploadUrl:
        """Return where to put a file of this type, size and hash, for sessions of one tenant.

        Raises:
            QuotaExceededError: The tenant has sent as many bytes today as it may.
            DependencyError: There are no credentials to sign with.
        """
        await self._allowance.check(session_id)
        media_id = secrets.token_hex(_ID_BYTES)
        put = await self._store.presign_put(
            uploads_of(session_id) + media_id,
            content_type=mime_type,
            size_bytes=size,
            valid_seconds=self._url_seconds,
            sha256=sha256,
        )
        await self._allowance.count(session_id, size)
        return UploadUrl(
            media_id=media_id,
            url=put.url,
            headers=put.headers,
            expires_at=self._clock.now() + timedelta(seconds=self._url_seconds),
        )

    async def find(self, session_id: str, media_id: str) -> Upload:
        """Return a file that a session can send.

        Raises:
            MediaUnavailableError: Nothing was put there for its tenant, or too long ago.
            DependencyError: The bucket cannot be asked.
        """
        key = uploads_of(session_id) + media_id
        # No id that was given out leads elsewhere; some stores follow `..` in a key.
        head = None if "/" in media_id else await self._store.head(key)
        if head is None:
            raise MediaUnavailableError("nothing has been uploaded under this media_id")
        if head.modified_at < self._oldest():
            raise MediaUnavailableError("what was uploaded under this media_id has expired")
        return Upload(key=key, size_bytes=head.size_bytes)

    async def prune(self, _limit: int) -> int:
        """Remove what is too old to be sent, now and then; returns 0, for nothing is left to do.

        Raises:
            DependencyError: The bucket cannot be asked.
        """
        now = self._clock.monotonic()
        if now >= self._prune_at:
            await self._store.delete_prefix(UPLOADS, before=self._oldest())
            # Also what workers that are gone were writing: nobody else knows of that.
            await self._store.abort_unfinished(before=self._clock.now() - _UNFINISHED)
            self._prune_at = now + _PRUNE_SECONDS
        return 0

    def _oldest(self) -> datetime:
        return self._clock.now() - self._keep
