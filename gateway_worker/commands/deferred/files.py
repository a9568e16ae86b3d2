"""The files of bulks in the bucket: rows that a backend has put there, and results."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from datetime import timedelta
from typing import Final, Protocol

from gateway_contracts import BulkResultFile, ObjectSource, UploadSource
from gateway_worker.commands.deferrals import BulkFiles
from gateway_worker.errors import MediaTooLargeError, MediaUnavailableError
from gateway_worker.media.objects import ObjectHead
from gateway_worker.media.uploads import Uploads
from gateway_worker.runtime.clock import Clock

_TYPE = "application/jsonl"
MOST_BYTES: Final = 256 * 1024 * 1024
"""All of it is stored as rows: 100,000 of 64 KiB each would be six GiB."""


class Objects(Protocol):
    """The bucket. Every call may raise `DependencyError`."""

    async def head(self, key: str) -> ObjectHead | None:
        """Return what the store says of an object; None if there is none."""
        ...

    def read(self, key: str, *, size_bytes: int | None = None) -> AsyncGenerator[bytes, None]:
        """Return an object piece by piece; what is not of that size is something else."""
        ...

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, content_type: str) -> int:
        """Store what comes, over whatever was there."""
        ...

    async def presign_get(
        self, key: str, *, valid_seconds: int, file_name: str | None = None
    ) -> str:
        """Return a URL at which anybody can read an object for a while."""
        ...


class BucketFiles(BulkFiles):
    """Files in the gateway's bucket.

    Args:
        objects: The bucket.
        uploads: What backends have put there under an id.
        clock: The time.
        url_seconds: How long a URL is valid.
    """

    def __init__(
        self, *, objects: Objects, uploads: Uploads, clock: Clock, url_seconds: int
    ) -> None:
        self._objects = objects
        self._uploads = uploads
        self._clock = clock
        self._url_seconds = url_seconds

    async def read(
        self, session_id: str, media: ObjectSource | UploadSource
    ) -> AsyncGenerator[bytes, None]:
        """Return a file piece by piece; see the port."""
        if isinstance(media, UploadSource):
            key = (await self._uploads.find(session_id, media.media_id)).key
        else:
            key = media.key
        head = await self._objects.head(key)
        if head is None:
            raise MediaUnavailableError("there is no such object")
        if head.size_bytes > MOST_BYTES:
            raise MediaTooLargeError(f"a file of rows has at most {MOST_BYTES} bytes")
        async with aclosing(self._objects.read(key, size_bytes=head.size_bytes)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def write(self, key: str, chunks: AsyncIterable[bytes]) -> None:
        """Store a file over whatever was there. Raises `DependencyError`."""
        await self._objects.write(key, chunks, content_type=_TYPE)

    async def told(self, key: str) -> BulkResultFile:
        """Return a file with a URL to read it at. Raises `DependencyError`."""
        expires_at = self._clock.now() + timedelta(seconds=self._url_seconds)
        url = await self._objects.presign_get(key, valid_seconds=self._url_seconds)
        return BulkResultFile(key=key, url=url, url_expires_at=expires_at)
