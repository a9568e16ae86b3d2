"""Copies of device stores: database → compressed → encrypted → object store, and back.

A session's copies are at `sessions/<session id>/device/<time>-<random>.snap`, whose keys sort by
age. Two are kept: should the newest turn out to be unreadable, the one before it still pairs.
"""

import asyncio
import secrets
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import structlog

from gateway_worker.errors import DependencyError
from gateway_worker.runtime.clock import Clock, SystemClock
from gateway_worker.sessions.ports import DeviceSnapshots
from gateway_worker.sessions.store_files import DEVICE_STORE_NAME
from gateway_worker.storage.objects.crypto import Keyring, UnreadableError
from gateway_worker.storage.objects.device_files import (
    UnusableCopyError,
    place_store,
    read_store,
)
from gateway_worker.storage.objects.store import Bucket, DamagedObjectError, ObjectInfo

log = structlog.get_logger(__name__)

KEPT: Final = 2
_CONTENT_TYPE: Final = "application/octet-stream"
_STAMP_DIGITS: Final = 13


def device_snapshots(*, bucket: Bucket, keyring: Keyring | None) -> DeviceSnapshots:
    """Return snapshots as far as they are possible: without keys, none are made."""
    if keyring is None:
        return DisabledSnapshots()
    return ObjectSnapshots(bucket=bucket, keyring=keyring)


class ObjectSnapshots:
    """Encrypted copies in the object store. Calls for one session run one after the other.

    Args:
        bucket: Where the copies go.
        keyring: The first key encrypts.
        clock: Dates the copies.
    """

    def __init__(self, *, bucket: Bucket, keyring: Keyring, clock: Clock | None = None) -> None:
        self._bucket = bucket
        self._keyring = keyring
        self._clock = clock or SystemClock()
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def save(self, session_id: str, directory: Path) -> None:
        """Copy the session's device store; it may be in use.

        Raises:
            DependencyError: No copy was stored; those there before still are.
        """
        async with self._lane(session_id):
            older = await self._copies(session_id)
            envelope = await asyncio.to_thread(self._packed, session_id, directory)
            key = _folder(session_id) + _file_name(self._clock, older)
            await self._bucket.put(key, envelope, content_type=_CONTENT_TYPE)
            log.info("snapshot.saved", session_id=session_id, size_bytes=len(envelope))
            await self._prune(session_id, older[: max(0, len(older) + 1 - KEPT)])

    async def restore(self, session_id: str, directory: Path) -> bool:
        """Put the newest usable copy in place of the device store; says whether there was one.

        Raises:
            DependencyError: The store of copies is away, or there are copies but none is usable.
        """
        async with self._lane(session_id):
            copies = await self._copies(session_id)
            for copy in reversed(copies):
                if await self._restored(session_id, directory, copy):
                    return True
        if copies:
            raise DependencyError(f"none of the {len(copies)} copies of the device store is usable")
        return False

    async def delete(self, session_id: str) -> None:
        """Remove every copy, also of a `save` that is still at it. Raises `DependencyError`."""
        async with self._lane(session_id):
            await self._bucket.delete_prefix(f"sessions/{session_id}/")

    def _lane(self, session_id: str) -> asyncio.Lock:
        """Return what keeps a session's calls apart, in order; it lives while one of them does."""
        lane = self._lanes.get(session_id)
        if lane is None:
            lane = self._lanes[session_id] = asyncio.Lock()
        return lane

    async def _copies(self, session_id: str) -> Sequence[ObjectInfo]:
        return await self._bucket.find(_folder(session_id))

    def _packed(self, session_id: str, directory: Path) -> bytes:
        plain = zlib.compress(read_store(directory / DEVICE_STORE_NAME))
        return self._keyring.seal(plain, context=_context(session_id))

    async def _prune(self, session_id: str, copies: Sequence[ObjectInfo]) -> None:
        try:
            await self._bucket.delete(*(copy.key for copy in copies))
        except DependencyError as error:  # the next one takes them along
            log.warning("snapshot.not_pruned", session_id=session_id, detail=error.detail)

    async def _restored(self, session_id: str, directory: Path, copy: ObjectInfo) -> bool:
        try:
            envelope = await self._bucket.get(copy.key)
            if envelope is None:
                return False
            await asyncio.to_thread(self._unpack, session_id, envelope, directory)
        except (DamagedObjectError, UnreadableError, UnusableCopyError) as error:
            log.warning(
                "snapshot.unusable", session_id=session_id, key=copy.key, detail=error.detail
            )
            return False
        return True

    def _unpack(self, session_id: str, envelope: bytes, directory: Path) -> None:
        plain = self._keyring.open(envelope, context=_context(session_id))
        try:
            data = zlib.decompress(plain)
        except zlib.error as error:
            raise UnusableCopyError("the copy cannot be unpacked") from error
        place_store(directory / DEVICE_STORE_NAME, data)


class DisabledSnapshots:
    """No copies, because there is no key to encrypt them with; says so once."""

    def __init__(self) -> None:
        self._told = False

    async def save(self, session_id: str, directory: Path) -> None:  # noqa: ARG002 - the port's
        """Do nothing."""
        if not self._told:
            self._told = True
            log.warning("snapshots.disabled", detail="no snapshot keys: stores are on disk only")

    async def restore(self, session_id: str, directory: Path) -> bool:  # noqa: ARG002 - the port's
        """Have nothing to bring back."""
        return False

    async def delete(self, session_id: str) -> None:
        """Have nothing to remove."""


def _folder(session_id: str) -> str:
    return f"sessions/{session_id}/device/"


def _context(session_id: str) -> str:
    return f"device-store:{session_id}"


def _file_name(clock: Clock, older: Sequence[ObjectInfo]) -> str:
    """Name a copy so that it sorts behind the older ones, whatever another worker's clock said."""
    stamp = int(clock.now().timestamp() * 1000)
    for copy in older:
        digits = copy.key.rpartition("/")[2][:_STAMP_DIGITS]
        if digits.isdecimal():
            stamp = max(stamp, int(digits) + 1)
    return f"{stamp:0{_STAMP_DIGITS}d}-{secrets.token_hex(4)}.snap"
