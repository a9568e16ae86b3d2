"""Objects of any size, written and read in pieces: of none of them much is in memory.

They have a client of their own, so that a device store's copy never waits for a connection behind a
film. An object is there whole or not at all: what is larger than one part is written as a multipart
upload, which is completed when the last piece has come and aborted if one does not.
"""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import structlog

from gateway_worker.errors import DependencyError
from gateway_worker.storage.objects.client import Objects, StoreRefusedError, told
from gateway_worker.storage.objects.store import (
    NOT_FOUND,
    Bucket,
    DamagedObjectError,
    NotKeptError,
)

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = structlog.get_logger(__name__)

PART_BYTES: Final = 5 * 1024 * 1024
"""Twice so much of an object is in memory; S3 takes no smaller part but for the last one."""
_CHUNK_BYTES: Final = 256 * 1024
_ABORT_SECONDS: Final = 5.0
_ABORTS: Final = 3
_GONE: Final = "NoSuchUpload"


class MissingObjectError(StoreRefusedError):
    """There is no such object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """What the store says of an object without its content.

    Attributes:
        size_bytes: How large it is.
        content_type: What whoever wrote it says that it is.
        modified_at: When it was written, by the store's clock.
    """

    size_bytes: int
    content_type: str
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedPut:
    """Where anybody can write one object for a while.

    Attributes:
        url: Where; whoever knows it may write, so it is in no log.
        headers: What the request has to say, exactly.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str]


class Streams:
    """Large objects by key. Every call may raise `DependencyError`.

    Args:
        objects: Where they are; made by `open` in the worker.
    """

    def __init__(self, *, objects: Objects) -> None:
        self._objects = objects
        self._bucket = Bucket(objects=objects)

    @classmethod
    @asynccontextmanager
    async def open(cls, objects: Objects) -> AsyncIterator["Streams"]:
        """Have a client beside that of `objects`."""
        async with objects.beside() as own:
            yield cls(objects=own)

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, content_type: str) -> int:
        """Store what comes, over whatever was there; returns how many bytes that was.

        Args:
            key: Where.
            chunks: What. If it raises, nothing is stored, and the error comes out of this call.
            content_type: What it is.

        Raises:
            DependencyError: It is not stored, or was not kept. Once more from the start may help.
        """
        upload = _Upload(self._objects, self._bucket.place_of(key), content_type)
        size, part, other = 0, BytesIO(), BytesIO()  # one is filled while the other is sent
        adding: asyncio.Task[None] | None = None
        try:
            async for chunk in chunks:
                size += len(chunk)
                rest = memoryview(chunk)
                while rest:
                    room = PART_BYTES - part.tell()
                    part.write(rest[:room])
                    rest = rest[room:]
                    if part.tell() == PART_BYTES:
                        if adding is not None:
                            await adding
                        adding = asyncio.create_task(upload.add(part), name="objects.part")
                        part, other = other, part
                        part.seek(0)  # its memory serves the next one too
            if adding is not None:
                await adding
            part.truncate()
            await upload.finish(part)
        except BaseException:
            await _to_its_end(_end(adding, upload))
            raise
        await self._expect(key, size)
        return size

    async def read(self, key: str, *, size_bytes: int | None = None) -> AsyncGenerator[bytes, None]:
        """Return an object piece by piece; leave early with `contextlib.aclosing` only.

        Args:
            key: Which one.
            size_bytes: How large it is, if that is known: what is not is something else.

        Raises:
            MissingObjectError: There is none.
            DamagedObjectError: It ended before its end, or is not as large as it should be.
            DependencyError: The store cannot be reached, or went silent.
        """
        place = self._bucket.place_of(key)
        try:
            answer = await self._objects.call(
                lambda client: client.get_object(Bucket=self._objects.bucket, Key=place)
            )
        except StoreRefusedError as error:
            if await self._bucket.is_missing(error, key):
                raise MissingObjectError(error.detail, reason=error.reason) from error
            raise
        body = answer["Body"]
        async with body:
            told(answer, "ETag")
            left = told(answer, "ContentLength")
            if size_bytes not in (None, left):
                raise DamagedObjectError("the object is not as large as the store has said")
            while left > 0:
                try:
                    chunk = await body.read(_CHUNK_BYTES)
                except Exception as error:  # the library and its HTTP client have one each
                    raise self._objects.translated(error) from error
                if not chunk:
                    raise DamagedObjectError("the object ended before its end")
                left -= len(chunk)
                yield chunk

    async def head(self, key: str, *, is_sure: bool = True) -> ObjectHead | None:
        """Return what the store says of an object; None if there is none.

        Args:
            key: Which one.
            is_sure: Whether somebody is told that there is none; else it may be there after all.
        """
        place = self._bucket.place_of(key)
        try:
            answer = await self._objects.call(
                lambda client: client.head_object(Bucket=self._objects.bucket, Key=place)
            )
        except StoreRefusedError as error:
            if not is_sure and error.reason in NOT_FOUND:
                return None
            if await self._bucket.is_missing(error, key):
                return None
            raise
        told(answer, "ETag")
        return ObjectHead(
            size_bytes=told(answer, "ContentLength"),
            content_type=answer.get("ContentType", ""),
            modified_at=told(answer, "LastModified"),
        )

    async def presign_put(
        self,
        key: str,
        *,
        content_type: str,
        size_bytes: int,
        valid_seconds: int,
        sha256: str | None = None,
    ) -> PresignedPut:
        """Return where anybody can write an object of this type and size; asks nobody.

        Args:
            key: Which object.
            content_type: What it has to be.
            size_bytes: How large it has to be, exactly.
            valid_seconds: For how long; a request has to begin by then.
            sha256: The hash that it has to have, in hexadecimal digits; None for any.
        """
        more: dict[str, Any] = {"ContentType": content_type, "ContentLength": size_bytes}
        headers = {"Content-Type": content_type}
        if sha256 is not None:
            digest = base64.b64encode(bytes.fromhex(sha256)).decode()
            more["ChecksumSHA256"] = headers["x-amz-checksum-sha256"] = digest
        place = self._bucket.place_of(key)
        url = await self._objects.link(
            place, valid_seconds=valid_seconds, operation="put_object", **more
        )
        return PresignedPut(url=url, headers=headers)

    async def presign_get(
        self, key: str, *, valid_seconds: int, file_name: str | None = None
    ) -> str:
        """Return a URL at which anybody can read an object for a while; asks nobody.

        Args:
            key: Which object.
            valid_seconds: For how long.
            file_name: What a browser is to call it on disk.
        """
        more: dict[str, Any] = {}
        if file_name is not None:
            name = quote(file_name, safe="")
            more["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{name}"
        place = self._bucket.place_of(key)
        return await self._objects.link(place, valid_seconds=valid_seconds, **more)

    async def delete(self, *keys: str) -> None:
        """Remove objects; those that are not there count as removed."""
        await self._bucket.delete(*keys)

    async def delete_prefix(self, prefix: str, *, before: datetime | None = None) -> int:
        """Remove what begins so, also what is half written; returns how many objects there were.

        Args:
            prefix: Of their keys.
            before: Only what was written, or begun to be, before that.
        """
        await self.abort_unfinished(prefix, before=before)
        if before is None:
            return await self._bucket.delete_prefix(prefix)
        old = [info.key for info in await self._bucket.find(prefix) if info.modified_at < before]
        await self._bucket.delete(*old)
        return len(old)

    async def abort_unfinished(self, prefix: str = "", *, before: datetime | None = None) -> None:
        """Abort what workers that are gone have begun to write, and what others write just now.

        Args:
            prefix: Of the keys.
            before: Only what was begun before that.
        """
        place = self._bucket.place_of(prefix)

        async def begun(client: "S3Client") -> list[tuple[str, str]]:
            pages = client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._objects.bucket, Prefix=place
            )
            return [
                (entry["Key"], entry["UploadId"])
                async for page in pages
                for entry in page.get("Uploads", ())
                if before is None or entry["Initiated"] < before
            ]

        for key, upload_id in await self._objects.call(begun):
            upload = _Upload(self._objects, key, "", upload_id=upload_id)
            await upload.abort()
            log.info("objects.upload_aborted", key=key)

    async def _expect(self, key: str, size: int) -> None:
        """Raise `NotKeptError` unless the store has what it has taken."""
        head = await self.head(key)
        if head is None or head.size_bytes != size:
            raise NotKeptError("the object store did not keep what was written")


class _Upload:
    """One object on its way into the store.

    Args:
        objects: The store.
        place: The key, with the prefix.
        content_type: What it is.
        upload_id: Of a multipart upload that there is already.
    """

    def __init__(
        self, objects: Objects, place: str, content_type: str, *, upload_id: str | None = None
    ) -> None:
        self._objects = objects
        self._content_type = content_type
        self._upload_id = upload_id
        self._target: dict[str, Any] = {"Bucket": objects.bucket, "Key": place}
        self._parts: list[dict[str, Any]] = []

    async def add(self, part: BytesIO) -> None:
        """Write a part; each but the last has the same size."""
        part.seek(0)
        upload_id = self._upload_id or await self._begin()
        number = len(self._parts) + 1
        answer = await self._objects.call(
            lambda client: client.upload_part(
                **self._target, UploadId=upload_id, PartNumber=number, Body=part
            )
        )
        checksums = {
            name: value
            for name, value in answer.items()
            if name.startswith("Checksum") and name != "ChecksumType"
        }
        self._parts.append({"PartNumber": number, "ETag": told(answer, "ETag"), **checksums})

    async def finish(self, part: BytesIO) -> None:
        """Write the last part, which may be empty, and with it the object."""
        is_empty = not part.tell()
        part.seek(0)
        if self._upload_id is None:
            await self._objects.call(
                lambda client: client.put_object(
                    **self._target, Body=part, ContentType=self._content_type
                )
            )
            return
        if not is_empty:
            await self.add(part)
        await self._complete(self._upload_id)

    async def abort(self) -> None:
        """Remove what is written so far; if that fails, `delete_prefix` does it some day."""
        if self._upload_id is None:
            return
        try:
            async with asyncio.timeout(_ABORT_SECONDS):
                await self._abort(self._upload_id)
        except (DependencyError, TimeoutError) as error:
            log.warning("objects.upload_not_aborted", key=self._target["Key"], reason=repr(error))

    async def _begin(self) -> str:
        answer = await self._objects.call(
            lambda client: client.create_multipart_upload(
                **self._target, ContentType=self._content_type
            )
        )
        upload_id: str = told(answer, "UploadId")
        self._upload_id = upload_id
        return upload_id

    async def _complete(self, upload_id: str) -> None:
        parts: Any = {"Parts": self._parts}
        try:
            await self._objects.call(
                lambda client: client.complete_multipart_upload(
                    **self._target, UploadId=upload_id, MultipartUpload=parts
                )
            )
        except StoreRefusedError as error:
            if error.reason != _GONE:  # else its answer was lost, and it was repeated
                raise

    async def _abort(self, upload_id: str) -> None:
        """Abort until no part is left: one that was on its way when it was given up comes later."""
        for _ in range(_ABORTS):
            try:
                await self._objects.call(
                    lambda client: client.abort_multipart_upload(**self._target, UploadId=upload_id)
                )
                answer = await self._objects.call(
                    lambda client: client.list_parts(**self._target, UploadId=upload_id)
                )
            except StoreRefusedError as error:
                if error.reason == _GONE:
                    return
                raise
            if not answer.get("Parts"):
                return


async def _end(adding: asyncio.Task[None] | None, upload: _Upload) -> None:
    """Leave nothing of an upload."""
    if adding is not None:
        adding.cancel()
        await asyncio.gather(adding, return_exceptions=True)
    await upload.abort()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do something although whoever wants it is being cancelled, perhaps once more."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise
