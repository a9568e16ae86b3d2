"""Copies of device stores: files → compressed → encrypted → object store, and back.

A session's copies are at `sessions/<session id>/device/e<epoch>-<time>-<random>.snap`, whose keys
sort by owner and then by age: what an owner uploads that has lost the session by then sorts below
the copies of its successor, however late it arrives. Two are kept: should the newest turn out to be
unreadable, the one before it still pairs.

A copy opens in the fleet and under the whole key for which it was sealed and nowhere else, and the
database has noted which one is the newest: whoever can write to the bucket can destroy copies, but
neither forge one nor have an old one taken for the newest. That would roll a device's keys back,
and use some of them a second time.
"""

import asyncio
import re
import secrets
import zlib
from collections import Counter
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import structlog

from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.layout import CARRIED_NAME, DEVICE_STORE_NAME
from gateway_worker.runtime.clock import Clock, SystemClock
from gateway_worker.sessions.store.copies import CopyRegister, KnownCopies
from gateway_worker.sessions.store.store_files import (
    has_device_store,
    journal_files,
    pending_records,
    unused,
)
from gateway_worker.storage.objects.archive import Copy, packed, read_copy, unpacked
from gateway_worker.storage.objects.client import ForeignAnswerError
from gateway_worker.storage.objects.crypto import Keyring, UnreadableError
from gateway_worker.storage.objects.device_files import (
    UnusableCopyError,
    check_store,
    place_files,
    place_store,
)
from gateway_worker.storage.objects.store import (
    Bucket,
    DamagedObjectError,
    NotKeptError,
    Stored,
)

log = structlog.get_logger(__name__)

KEPT: Final = 2
ROOT: Final = "sessions/"
CONTENT_TYPE: Final = "application/octet-stream"
NOT_STORED: Final = "not_stored"
"""A copy that was not made because it would not be the newest."""
NOT_KEPT: Final = "not_kept"
"""A copy that the store had taken, and then did not have."""
REFUSED: Final = "refused"
"""A copy in the bucket that is older than the newest one, or of another session's life."""
UNUSABLE: Final = "unusable"
"""A copy that does not open, or that is gone."""
TROUBLES: Final = (NOT_STORED, NOT_KEPT, REFUSED, UNUSABLE)
_COMPRESSION: Final = 3
_NAME: Final = re.compile(r"e(?P<epoch>\d{12})-(?P<stamp>\d{13})-[0-9a-f]+\.snap")
_LAST_STAMP: Final = 10**13 - 1


class ObjectSnapshots:
    """Encrypted copies in the object store. Calls for one session run one after the other.

    Args:
        bucket: Where the copies go.
        keyring: The first key encrypts.
        register: Has the names of the newest.
        fleet: Whose copies they are; those of another fleet do not open.
        clock: Dates the copies.

    Attributes:
        troubles: How often each of TROUBLES came up, for metrics.
    """

    are_needed = True
    """Whether a session that comes from another worker needs its copy to go on."""
    are_portable = True
    """Whether sessions can go to other workers at all."""

    def __init__(
        self,
        *,
        bucket: Bucket,
        keyring: Keyring,
        register: CopyRegister,
        fleet: str,
        clock: Clock | None = None,
    ) -> None:
        self._bucket = bucket
        self._keyring = keyring
        self._register = register
        self._fleet = fleet
        self._clock = clock or SystemClock()
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._mine: dict[str, str] = {}
        self._strangers: set[str] = set()
        self.troubles: Counter[str] = Counter()

    async def save(
        self, session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> bool:
        """Copy the session's files; they may be in use. See the port.

        Raises:
            DependencyError: No copy was stored; those there before still are.
        """
        async with self._lane(session_id):
            mine = self._mine.get(session_id)
            is_quick = again and mine is not None and _epoch_of(mine) == epoch
            # Another look, at database and bucket, that the session would have to wait for.
            known = None if is_quick else await self._known_now(session_id)
            if known is not None and _epoch_of(known.last) > epoch:
                return self._not_stored(session_id, epoch=epoch, newest=known.last)
            name = self._name(epoch, after=max(mine or "", "" if known is None else known.last))
            await self._put(session_id, name, directory)
            noted = await self._register.note(session_id, name, epoch=epoch)
            if noted is None or noted.newest != name:
                await self._bucket.delete(self._key(session_id, name))
                newest = None if noted is None else noted.last
                return self._not_stored(session_id, epoch=epoch, newest=newest)
            if not is_quick:
                await self._prune(session_id, noted)
            return True

    async def holds(self, session_id: str, *, epoch: int) -> bool:
        """Whether a copy of that epoch or a later one opens, read back just now. See the port."""
        async with self._lane(session_id):
            known = await self._register.known(session_id)
            if known is None or known.newest is None or _epoch_of(known.newest) < epoch:
                return False
            return await self._opened(session_id, known.newest) is not None

    async def restore(self, session_id: str, directory: Path, *, replace: bool = False) -> bool:
        """Put the newest usable copy in place of the device store. See the port.

        Spooled records that came with it go where the host reads them, or, if the directory has
        records of its own that nobody has taken, into `carried` inside it.
        """
        if not replace and has_device_store(directory):
            return False
        async with self._lane(session_id):
            known = await self._register.known(session_id) or KnownCopies()
            names = await self._candidates(session_id, known)
            for name in names:
                copy = await self._opened(session_id, name)
                if copy is not None and await self._placed(session_id, name, copy, directory):
                    self._tell_age(session_id, name, known)
                    return True
        if names:
            raise DependencyError(f"none of the {len(names)} copies of the device store is usable")
        return False

    async def delete(self, session_id: str) -> None:
        """Remove every copy, also of a `save` that is still at it. Raises `DependencyError`."""
        async with self._lane(session_id):
            self._mine.pop(session_id, None)
            await self._register.forget(session_id)  # first: what then remains is void
            await self._bucket.delete_prefix(f"{ROOT}{session_id}/")

    def _lane(self, session_id: str) -> asyncio.Lock:
        """Return what keeps a session's calls apart, in order; it lives while one of them does."""
        lane = self._lanes.get(session_id)
        if lane is None:
            lane = self._lanes[session_id] = asyncio.Lock()
        return lane

    # Names.

    def _key(self, session_id: str, name: str) -> str:
        return f"{_folder(session_id)}{name}"

    def _name(self, epoch: int, *, after: str) -> str:
        """Return a name behind another one, whatever the clock of its maker said."""
        behind = _stamp_of(after) + 1 if _epoch_of(after) == epoch else 0
        stamp = min(max(int(self._clock.now().timestamp() * 1000), behind), _LAST_STAMP)
        return f"e{epoch:012d}-{stamp:013d}-{secrets.token_hex(4)}.snap"

    async def _known_now(self, session_id: str) -> KnownCopies | None:
        """Return what is known; None if the database is unavailable, or there is no such session.

        A copy is stored all the same: should this machine be lost with the database unavailable, it
        is found by its name.
        """
        try:
            return await self._register.known(session_id)
        except DependencyError:
            return None

    async def _candidates(self, session_id: str, known: KnownCopies) -> list[str]:
        """Return the names that may be restored, the newest first; says which may not.

        Those that are noted, there or not, and those above them: they were stored, and their maker
        did not come to note them.
        """
        found = await self._found(session_id)
        above = [
            name for name in found if name > known.last and _epoch_of(name) >= known.first_epoch
        ]
        for name in found:
            if name not in above and name not in known.names:
                self._trouble(REFUSED, "snapshot.refused", session_id, key=name, newest=known.last)
        return sorted({*above, *known.names}, reverse=True)

    async def _found(self, session_id: str) -> list[str]:
        names = [
            info.key.rpartition("/")[2] for info in await self._bucket.find(_folder(session_id))
        ]
        return [name for name in names if _NAME.fullmatch(name)]

    # Copies.

    async def _put(self, session_id: str, name: str, directory: Path) -> None:
        key = self._key(session_id, name)
        envelope = await asyncio.to_thread(self._packed, key, directory)
        # Noted first: a copy that is given up here may still arrive there.
        self._mine[session_id] = name
        try:
            # Nobody else uses the name: one that is taken is this write, whose answer was lost.
            if not await self._bucket.put_new(key, envelope, content_type=CONTENT_TYPE):
                await self._bucket.expect(key, envelope)
        except NotKeptError as error:
            self._trouble(NOT_KEPT, "snapshot.not_kept", session_id, key=name, detail=error.detail)
            raise
        log.info("snapshot.saved", session_id=session_id, size_bytes=len(envelope))

    def _packed(self, key: str, directory: Path) -> bytes:
        plain = zlib.compress(packed(read_copy(directory)), _COMPRESSION)
        return self._keyring.seal(plain, context=sealed_for(self._bucket, self._fleet, key))

    async def _prune(self, session_id: str, known: KnownCopies) -> None:
        """Remove what lies below the two newest; the newest has been read back."""
        oldest = min(known.names)
        try:
            found = await self._found(session_id)
            keys = [self._key(session_id, name) for name in found if name < oldest]
            await self._bucket.delete(*keys)
        except DependencyError as error:  # the next one takes them along
            log.warning("snapshot.not_pruned", session_id=session_id, detail=error.detail)
            return
        for name in found:
            if name > known.last and name not in self._strangers:
                self._strangers.add(name)  # once each is enough
                self._trouble(REFUSED, "snapshot.stranger", session_id, key=name, newest=known.last)

    async def _opened(self, session_id: str, name: str) -> Copy | None:
        """Read a copy back and open it; says why that does not work.

        Raises:
            DependencyError: What answers is perhaps not the store, so that nothing is known of it:
                the copy before it would roll the device's keys back.
        """
        key = self._key(session_id, name)
        stored: Stored | None = None
        try:
            stored = await self._bucket.get_tagged(key)
            return await asyncio.to_thread(self._unpacked, key, stored)
        except (DamagedObjectError, UnreadableError, UnusableCopyError) as error:
            if stored is not None and not stored.is_attested:
                raise ForeignAnswerError(f"what came for a copy is none: {error.detail}") from error
            self._trouble(UNUSABLE, "snapshot.unusable", session_id, key=key, detail=error.detail)
            return None

    def _unpacked(self, key: str, stored: Stored | None) -> Copy:
        if stored is None:
            raise UnusableCopyError("it is gone from the object store")
        context = sealed_for(self._bucket, self._fleet, key)
        plain = self._keyring.open(stored.data, context=context)
        try:
            copy = unpacked(zlib.decompress(plain))
        except zlib.error as error:
            raise UnusableCopyError("the copy cannot be unpacked") from error
        check_store(copy.store)
        return copy

    async def _placed(self, session_id: str, name: str, copy: Copy, directory: Path) -> bool:
        try:
            await asyncio.to_thread(_place, directory, copy)
        except UnusableCopyError as error:
            key = self._key(session_id, name)
            self._trouble(UNUSABLE, "snapshot.unusable", session_id, key=key, detail=error.detail)
            return False
        return True

    # Troubles.

    def _not_stored(self, session_id: str, *, epoch: int, newest: str | None) -> bool:
        self._trouble(NOT_STORED, "snapshot.not_stored", session_id, epoch=epoch, newest=newest)
        return False

    def _tell_age(self, session_id: str, name: str, known: KnownCopies) -> None:
        if known.newest is not None and name < known.newest:
            log.error("snapshot.older_used", session_id=session_id, key=name, newest=known.newest)

    def _trouble(self, kind: str, event: str, session_id: str, **more: object) -> None:
        self.troubles[kind] += 1
        log.error(event, session_id=session_id, **more)


class DisabledSnapshots:
    """No copies, because there is no key to encrypt them with; says so once."""

    are_needed = False
    """Whether a session that comes from another worker needs its copy to go on."""
    are_portable = False
    """Whether sessions can go to other workers at all."""

    def __init__(self) -> None:
        self._told = False
        self.troubles: Counter[str] = Counter()

    async def save(
        self,
        session_id: str,  # noqa: ARG002 - the port's
        directory: Path,  # noqa: ARG002
        *,
        epoch: int = 0,  # noqa: ARG002
        again: bool = False,  # noqa: ARG002
    ) -> bool:
        """Do nothing."""
        if not self._told:
            self._told = True
            log.warning("snapshots.disabled", detail="no snapshot keys: stores are on disk only")
        return False

    async def holds(self, session_id: str, *, epoch: int) -> bool:  # noqa: ARG002 - the port's
        """Have no copy."""
        return False

    async def restore(self, session_id: str, directory: Path, *, replace: bool = False) -> bool:  # noqa: ARG002 - the port's
        """Have nothing to bring back."""
        return False

    async def delete(self, session_id: str) -> None:
        """Have nothing to remove."""


Snapshots = ObjectSnapshots | DisabledSnapshots


def device_snapshots(
    *, bucket: Bucket, keyring: Keyring | None, register: CopyRegister, fleet: str
) -> Snapshots:
    """Return snapshots as far as they are possible: without keys, none are made."""
    if keyring is None:
        return DisabledSnapshots()
    return ObjectSnapshots(bucket=bucket, keyring=keyring, register=register, fleet=fleet)


def is_copy(key: str) -> bool:
    """Whether a key is that of a copy."""
    _, folder, name = key.removeprefix(ROOT).rpartition("/device/")
    return bool(folder) and _NAME.fullmatch(name) is not None


def sealed_for(bucket: Bucket, fleet: str, key: str) -> str:
    """Return what the copy under a key is sealed for: its fleet, and all of its place."""
    return f"device store of fleet {fleet} at {bucket.place_of(key)}"


def _folder(session_id: str) -> str:
    return f"{ROOT}{session_id}/device/"


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


def _epoch_of(name: str) -> int:
    found = _NAME.fullmatch(name)
    return int(found["epoch"]) if found else -1


def _stamp_of(name: str) -> int:
    found = _NAME.fullmatch(name)
    return int(found["stamp"]) if found else 0
