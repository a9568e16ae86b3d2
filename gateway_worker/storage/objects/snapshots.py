"""Copies of device stores: files → compressed → encrypted → object store, and back.

A session's copies are at `sessions/<session id>/device/e<epoch>-<time>-<random>.snap`, whose keys
sort by owner and then by age: what an owner uploads that has lost the session by then sorts below
the copies of its successor, however late it arrives. (`<time>-<random>.snap`, as written by earlier
releases, sorts below all of them.) Two are kept: should the newest turn out to be unreadable, the
one before it still pairs.
"""

import asyncio
import re
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
from gateway_worker.sessions.store_files import (
    CARRIED_NAME,
    DEVICE_STORE_NAME,
    has_device_store,
    journal_files,
    pending_records,
    unused,
)
from gateway_worker.storage.objects.archive import Copy, packed, read_copy, unpacked
from gateway_worker.storage.objects.crypto import Keyring, UnreadableError
from gateway_worker.storage.objects.device_files import (
    UnusableCopyError,
    place_files,
    place_store,
)
from gateway_worker.storage.objects.store import Bucket, DamagedObjectError, ObjectInfo

log = structlog.get_logger(__name__)

KEPT: Final = 2
ROOT: Final = "sessions/"
CONTENT_TYPE: Final = "application/octet-stream"
_COMPRESSION: Final = 3
_NAME: Final = re.compile(r"(?:e(?P<epoch>\d{12})-)?(?P<stamp>\d{13})-[0-9a-f]+\.snap")


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
        self._newest: dict[str, tuple[int, int]] = {}

    @property
    def are_needed(self) -> bool:
        """Whether a session that comes from another worker needs its copy to go on."""
        return True

    @property
    def are_portable(self) -> bool:
        """Whether sessions can go to other workers at all."""
        return True

    async def save(
        self, session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> None:
        """Copy the session's files; they may be in use. See the port.

        Raises:
            DependencyError: No copy was stored; those there before still are.
        """
        async with self._lane(session_id):
            known_epoch, stamp = self._newest.get(session_id, (-1, 0))
            if again and known_epoch == epoch:
                # No look at what is there: the name alone puts it behind our last one, and before
                # those of a later owner. The next look removes one more.
                await self._put(session_id, directory, epoch=epoch, after=stamp)
                return
            older = await self._copies(session_id)
            if older and _epoch_of(older[-1]) > epoch:
                log.warning("snapshot.outdated", session_id=session_id, epoch=epoch)
                return
            after = max((_stamp_of(copy) for copy in older), default=0)
            await self._put(session_id, directory, epoch=epoch, after=after)
            await self._prune(session_id, older[: max(0, len(older) + 1 - KEPT)])

    async def restore(self, session_id: str, directory: Path, *, replace: bool = False) -> bool:
        """Put the newest usable copy in place of the device store. See the port.

        Spooled records that came with it go where the host reads them, or, if the directory has
        records of its own that nobody has taken, into `carried` inside it.
        """
        if not replace and has_device_store(directory):
            return False
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
            self._newest.pop(session_id, None)
            await self._bucket.delete_prefix(f"{ROOT}{session_id}/")

    def _lane(self, session_id: str) -> asyncio.Lock:
        """Return what keeps a session's calls apart, in order; it lives while one of them does."""
        lane = self._lanes.get(session_id)
        if lane is None:
            lane = self._lanes[session_id] = asyncio.Lock()
        return lane

    async def _copies(self, session_id: str) -> Sequence[ObjectInfo]:
        return await self._bucket.find(_folder(session_id))

    async def _put(self, session_id: str, directory: Path, *, epoch: int, after: int) -> None:
        """Store a copy under a name behind that stamp, whatever another worker's clock said."""
        envelope = await asyncio.to_thread(self._packed, session_id, directory)
        stamp = max(int(self._clock.now().timestamp() * 1000), after + 1)
        # Noted first: a copy that is given up here may still arrive there.
        self._newest[session_id] = (epoch, stamp)
        key = f"{_folder(session_id)}e{epoch:012d}-{stamp:013d}-{secrets.token_hex(4)}.snap"
        # Nobody else uses the name: one that is taken is this write, whose answer was lost.
        await self._bucket.put_new(key, envelope, content_type=CONTENT_TYPE)
        log.info("snapshot.saved", session_id=session_id, size_bytes=len(envelope))

    def _packed(self, session_id: str, directory: Path) -> bytes:
        plain = zlib.compress(packed(read_copy(directory)), _COMPRESSION)
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
        _place(directory, unpacked(data))


class DisabledSnapshots:
    """No copies, because there is no key to encrypt them with; says so once."""

    def __init__(self) -> None:
        self._told = False

    @property
    def are_needed(self) -> bool:
        """Whether a session that comes from another worker needs its copy to go on."""
        return False

    @property
    def are_portable(self) -> bool:
        """Whether sessions can go to other workers at all."""
        return False

    async def save(
        self,
        session_id: str,  # noqa: ARG002 - the port's
        directory: Path,  # noqa: ARG002
        *,
        epoch: int = 0,  # noqa: ARG002
        again: bool = False,  # noqa: ARG002
    ) -> None:
        """Do nothing."""
        if not self._told:
            self._told = True
            log.warning("snapshots.disabled", detail="no snapshot keys: stores are on disk only")

    async def restore(self, session_id: str, directory: Path, *, replace: bool = False) -> bool:  # noqa: ARG002 - the port's
        """Have nothing to bring back."""
        return False

    async def delete(self, session_id: str) -> None:
        """Have nothing to remove."""


def context_of(key: str) -> str | None:
    """Return what the copy under a key was sealed for; None if the key is not that of a copy."""
    session_id, folder, name = key.removeprefix(ROOT).rpartition("/device/")
    return _context(session_id) if folder and _NAME.fullmatch(name) else None


def _folder(session_id: str) -> str:
    return f"{ROOT}{session_id}/device/"


def _context(session_id: str) -> str:
    return f"device-store:{session_id}"


def _place(directory: Path, copy: Copy) -> None:
    with unused(directory) as free:
        if not free:
            raise DependencyError("a host still uses the session's directory")
        if copy.spool:  # first: records that are there twice do no harm
            own = pending_records(directory) > 0
            place_files(directory / CARRIED_NAME if own else directory, copy.spool)
        if copy.journal and not journal_files(directory):
            place_files(directory, copy.journal)
        place_store(directory / DEVICE_STORE_NAME, copy.store)


def _epoch_of(copy: ObjectInfo) -> int:
    name = _NAME.fullmatch(copy.key.rpartition("/")[2])
    return int(name["epoch"] or 0) if name else 0


def _stamp_of(copy: ObjectInfo) -> int:
    name = _NAME.fullmatch(copy.key.rpartition("/")[2])
    return int(name["stamp"]) if name else 0
