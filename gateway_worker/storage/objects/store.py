"""Objects in the bucket: whole values under keys, all below the settings' prefix."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from gateway_worker.errors import DependencyError
from gateway_worker.storage.objects.client import (
    ForeignAnswerError,
    Objects,
    StoreRefusedError,
    told,
)

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_DIGEST: Final = "sha256"
_NO_SUCH_KEY: Final = "NoSuchKey"
NOT_FOUND: Final = frozenset({_NO_SUCH_KEY, "404", "NotFound"})
"""What is answered where there is no object: the first by the store, the others by anybody who has
nothing there, be it the store or what stands before it."""
_OF_LISTINGS: Final = frozenset({"IsTruncated", "Name", "KeyCount", "Contents"})
"""Each listing has some of these, also of nothing."""
_TAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
_DELETE_BATCH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """An object as a listing shows it: its key without the prefix, its size, and its age.

    Attributes:
        modified_at: When it was written, by the store's clock; two objects do not differ by it.
    """

    key: str
    size_bytes: int
    modified_at: datetime = field(default=datetime.min.replace(tzinfo=UTC), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A value, and the tag that tells it from what is stored under its key later.

    Attributes:
        is_attested: Whether it has its digest beside it, as whatever is put has.
    """

    data: bytes
    tag: str
    is_attested: bool = True


class DamagedObjectError(DependencyError):
    """An object is not what was stored."""


class NotKeptError(DamagedObjectError):
    """The store has taken an object and does not have it: something between us answers for it."""


class NotRemovedError(DependencyError):
    """The store has taken a removal and still has the object."""


class Bucket:
    """Keyed values. Every call may raise `DependencyError`.

    Whatever is put is read back: a proxy, or a store that is full, answers with 200 too.

    Args:
        objects: Where they are.
    """

    def __init__(self, *, objects: Objects) -> None:
        self._objects = objects

    def place_of(self, key: str) -> str:
        """Return where a key is, with the settings' prefix."""
        return self._full(key)

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Store a value, over whatever was there."""
        await self._put(key, data, content_type=content_type)

    async def put_new(self, key: str, data: bytes, *, content_type: str) -> bool:
        """Store a value unless the key is taken; says whether it did.

        A write whose answer was lost is repeated and then finds itself: False may mean "just now".
        """
        try:
            await self._put(key, data, content_type=content_type, IfNoneMatch="*")
        except StoreRefusedError as error:
            if error.reason in _TAKEN:
                return False
            raise
        return True

    async def put_over(self, key: str, data: bytes, *, tag: str, content_type: str) -> bool:
        """Replace the value that has this tag; says whether it still had.

        A write whose answer was lost is repeated and then finds itself: False may mean "just now".
        """
        try:
            await self._put(key, data, content_type=content_type, IfMatch=tag)
        except StoreRefusedError as error:
            if error.reason in _TAKEN or await self.is_missing(error, key):
                return False
            raise
        return True

    async def get(self, key: str) -> bytes | None:
        """Return a value, or None if there is none. Raises `DamagedObjectError` if it changed."""
        stored = await self.get_tagged(key)
        return None if stored is None else stored.data

    async def get_tagged(self, key: str) -> Stored | None:
        """Return a value with the tag that `put_over` needs; as `get` otherwise."""

        async def read(client: "S3Client") -> tuple[bytes, str | None, str]:
            answer = await client.get_object(Bucket=self._objects.bucket, Key=self._full(key))
            async with answer["Body"] as body:
                return await body.read(), answer["Metadata"].get(_DIGEST), told(answer, "ETag")

        try:
            data, digest, tag = await self._objects.call(read)
        except StoreRefusedError as error:
            if await self.is_missing(error, key):
                return None
            raise
        if digest is not None and digest != hashlib.sha256(data).hexdigest():
            raise DamagedObjectError("the object is not what was stored")
        return Stored(data=data, tag=tag, is_attested=digest is not None)

    async def is_missing(self, error: StoreRefusedError, key: str) -> bool:
        """Whether an answer means that there is no such object.

        One that anybody could have given is believed only if a listing says the same.

        Raises:
            DependencyError: That cannot be told now.
        """
        if error.reason == _NO_SUCH_KEY:
            return True
        if error.reason not in NOT_FOUND:
            return False
        if any(info.key == key for info in await self.find(key)):
            raise ForeignAnswerError("the object store lists an object that it says is not there")
        return True

    async def expect(self, key: str, data: bytes) -> None:
        """Read a value back. Raises `NotKeptError` if it is not what was stored."""
        try:
            kept = await self.get(key)
        except (DamagedObjectError, ForeignAnswerError) as error:
            raise NotKeptError("the object store did not keep what was written") from error
        if kept != data:
            raise NotKeptError("the object store did not keep what was written")

    async def link(self, key: str, *, valid_seconds: int) -> str:
        """Return a URL at which anybody can read a value for a while, at the public endpoint."""
        return await self._objects.link(self._full(key), valid_seconds=valid_seconds)

    async def find(self, prefix: str) -> Sequence[ObjectInfo]:
        """Return the objects whose keys start with `prefix`, sorted by key."""

        async def read(client: "S3Client") -> list[ObjectInfo]:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self._objects.bucket, Prefix=self._full(prefix)
            )
            start = len(self._objects.prefix)
            found = []
            async for page in pages:
                if _OF_LISTINGS.isdisjoint(page):
                    raise ForeignAnswerError("what answers for the object store lists nothing")
                found += [
                    ObjectInfo(
                        key=entry["Key"][start:],
                        size_bytes=entry["Size"],
                        modified_at=entry["LastModified"],
                    )
                    for entry in page.get("Contents", ())
                ]
            return found

        return sorted(await self._objects.call(read), key=lambda info: info.key)

    async def delete(self, *keys: str) -> None:
        """Remove objects; those that are not there count as removed.

        Raises:
            NotRemovedError: The store has taken that and has them still.
            DependencyError: Not all are removed.
        """
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = keys[start : start + _DELETE_BATCH]
            for key in await self._removed_or_not(batch):
                # A listing has a form of its own, which nothing else answers with.
                if any(info.key == key for info in await self.find(key)):
                    raise NotRemovedError("the object store still has what was to be removed")

    async def _removed_or_not(self, keys: Sequence[str]) -> Sequence[str]:
        """Have objects removed; returns those of which the answer says nothing."""

        async def remove(client: "S3Client") -> tuple[list[Any], set[str]]:
            answer = await client.delete_objects(
                Bucket=self._objects.bucket,
                Delete={"Objects": [{"Key": self._full(key)} for key in keys]},
            )
            removed = {entry.get("Key", "") for entry in answer.get("Deleted", ())}
            return list(answer.get("Errors", ())), removed

        errors, removed = await self._objects.call(remove)
        if errors:
            reason = str(errors[0].get("Code", "unknown"))
            raise StoreRefusedError(f"{len(errors)} objects remain: {reason}", reason=reason)
        return [key for key in keys if self._full(key) not in removed]

    async def delete_prefix(self, prefix: str) -> int:
        """Remove every object whose key starts with `prefix`; returns how many there were."""
        found = await self.find(prefix)
        await self.delete(*(info.key for info in found))
        return len(found)

    async def _put(self, key: str, data: bytes, *, content_type: str, **more: Any) -> None:
        digest = hashlib.sha256(data).hexdigest()

        async def write(client: "S3Client") -> None:
            await client.put_object(
                Bucket=self._objects.bucket,
                Key=self._full(key),
                Body=data,
                ContentType=content_type,
                Metadata={_DIGEST: digest},
                **more,
            )

        await self._objects.call(write)
        await self.expect(key, data)

    def _full(self, key: str) -> str:
        return self._objects.prefix + key
