"""The device store of a session on this machine: whether it is the newest, and how it is copied.

A file beside it names the epoch under which it was last used here. A store from before another
worker had the session is out of date: a copy from the object store replaces it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from gateway_worker.errors import DependencyError, GatewayError
from gateway_worker.host_protocol.layout import EPOCH_NAME
from gateway_worker.runtime.os_errors import explain
from gateway_worker.sessions.ports import DeviceSnapshots
from gateway_worker.sessions.store.directory_moves import DirectoryMoves
from gateway_worker.sessions.store.store_files import (
    forget_device,
    has_device_store,
    park,
    remove_directory,
)

log = structlog.get_logger(__name__)


class DeviceStore:
    """The device store of one session.

    Args:
        session_id: Whose it is.
        epoch: Under which this worker owns the session.
        first_epoch: With which the session was created.
        local_epoch: The epoch under which the store here was used if no other worker has had the
            session since; None if one has, or if that is not known.
        directory: The session's own.
        parking: Where directories wait that no session here uses any more.
        snapshots: Has the copies.
        moves: The directories that are being moved aside.
    """

    def __init__(
        self,
        *,
        session_id: str,
        epoch: int,
        first_epoch: int = 1,
        local_epoch: int | None,
        directory: Path,
        parking: Path,
        snapshots: DeviceSnapshots,
        moves: DirectoryMoves,
    ) -> None:
        self._session_id = session_id
        self._epoch = epoch
        self._first_epoch = first_epoch
        self._local_epoch = local_epoch
        self._directory = directory
        self._parking = parking
        self._snapshots = snapshots
        self._moves = moves
        self._before_replacing: Callable[[int], Awaitable[None]] | None = None
        self._log = log.bind(session_id=session_id)

    @property
    def directory(self) -> Path:
        """The session's directory."""
        return self._directory

    def before_replacing(self, look: Callable[[int], Awaitable[None]]) -> None:
        """Have a function called before a store of before is replaced, with that one's epoch.

        It may raise `DependencyError`; nothing is replaced then.
        """
        self._before_replacing = look

    async def ensure(self, *, linked: bool) -> None:
        """Have the newest store here before a host starts.

        Args:
            linked: Whether there is an account to resume.

        Raises:
            DependencyError: It would have to be restored, and the object store is unavailable or
                has no copy yet; or the disk does not take it.
        """
        await self._moves.ended(self._session_id)
        try:
            noted = await asyncio.to_thread(read_epoch, self.directory)
        except OSError as error:
            raise DependencyError(f"the session's directory: {explain(error)}") from error
        if noted == self._epoch:
            return
        if noted is not None and noted < self._first_epoch:
            await self._set_aside()
            noted = None
        if linked and not await asyncio.to_thread(self._is_current, noted):
            if noted is not None and self._before_replacing is not None:
                await self._before_replacing(noted)
            restored = await self._snapshots.restore(self._session_id, self.directory, replace=True)
            self._log.info("session.store_restored", restored=restored)
            if not restored and not has_device_store(self.directory):
                self._log.error("session.store_missing", epoch=self._epoch)
            if not restored and self._is_missing():
                raise DependencyError("no copy of the device store; its former owner may have it")
        try:
            await asyncio.to_thread(_write_epoch, self.directory, self._epoch)
        except OSError as error:
            raise DependencyError(f"the session's directory: {explain(error)}") from error

    async def save(self, *, again: bool = False) -> None:
        """Copy the store to the object store, where copies are made.

        Args:
            again: There is a copy from just before; see `DeviceSnapshots.save`.

        Raises:
            DependencyError: There is no copy of what it is now.
        """
        if not await asyncio.to_thread(has_device_store, self.directory):
            return
        snapshots = self._snapshots
        stored = await snapshots.save(
            self._session_id, self.directory, epoch=self._epoch, again=again
        )
        if not stored and snapshots.are_needed:
            raise DependencyError("the copy of the device store does not count")

    async def save_if_possible(self) -> None:
        """Copy the store; a failure is logged, the next copy comes in time."""
        try:
            await self.save()
        except GatewayError as error:
            self._log.warning("session.snapshot_failed", reason=str(error))

    async def forget(self) -> None:
        """Remove the store and its copies: WhatsApp has unlinked the device. Idempotent.

        A failure is logged: nothing can be done with the keys any more.
        """
        try:
            await asyncio.to_thread(forget_device, self.directory)
        except OSError as error:
            self._log.error("session.store_not_forgotten", reason=explain(error))
        try:
            await self._snapshots.delete(self._session_id)
        except GatewayError as error:
            self._log.warning("session.snapshot_not_deleted", reason=str(error))

    async def remove(self) -> None:
        """Remove everything that the session has on this disk. Idempotent.

        Raises:
            DependencyError: Something is left, which may be the device's keys.
        """
        try:
            await asyncio.to_thread(remove_directory, self.directory)
        except OSError as error:
            raise DependencyError(
                f"the session's directory cannot be removed: {explain(error)}"
            ) from error

    async def _set_aside(self) -> None:
        """Move away what a deleted session of the same name has left here: another account's."""
        try:
            parked = await asyncio.to_thread(park, self.directory, self._parking)
        except OSError as error:
            raise DependencyError(f"the session's directory: {explain(error)}") from error
        self._log.warning("session.former_set_aside", directory=parked.name)

    def _is_missing(self) -> bool:
        """Whether the store must be elsewhere: this machine never had it."""
        return self._local_epoch is None and not has_device_store(self.directory)

    def _is_current(self, noted: int | None) -> bool:
        if not has_device_store(self.directory) and self._snapshots.are_needed:
            return False
        if self._local_epoch is None:
            return not self._snapshots.are_needed
        return noted in (None, self._local_epoch)


def read_epoch(directory: Path) -> int | None:
    """Return the epoch under which the store in a directory was last used, if it is noted.

    Raises:
        OSError: That cannot be found out now: no reason to take the store for one without a note.
    """
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int((directory / EPOCH_NAME).read_text())
    return None


def _write_epoch(directory: Path, epoch: int) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / EPOCH_NAME).write_text(str(epoch))
