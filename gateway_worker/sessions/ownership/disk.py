"""This worker's disk: one process at a time uses it, and it is one worker's for good.

    DATA_DIR/worker.lock    locked for as long as the process lives; the kernel lets go, even of -9
    DATA_DIR/worker.json    whose it is: the worker, its fleet, and an id that was drawn for it

The only copy of an account's keys may be here. So a directory that another worker uses, or has
used, is refused, and so is one that lacks the stores of sessions that this worker had on another
disk and of which no copy exists: each would end them all, one at once and the other at their next
start.
"""

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import secrets
import socket
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from gateway_worker.errors import ConfigurationError
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.ownership.ports import DiskRecords
from gateway_worker.sessions.store.store_files import has_device_store

log = structlog.get_logger(__name__)

DISK_LOCK_NAME: Final = "worker.lock"
IDENTITY_NAME: Final = "worker.json"
_SESSIONS: Final = "sessions"
_CONTENTS: Final = (_SESSIONS, "leftovers", "refused")
_SHOWN: Final = 5
_REMEDIES: Final = {
    errno.ENOSPC: "Make room there (see `df` and, for the number of files, `df -i`)",
    errno.EDQUOT: "Raise its quota",
    errno.EROFS: "Mount it for writing",
    errno.EIO: "Look at the disk, which fails",
    errno.EMFILE: "Raise the limit of open files",
    errno.ENFILE: "Raise the machine's limit of open files (fs.file-max)",
    errno.ENAMETOOLONG: "Its name is too long: choose a shorter one",
    errno.ENOTDIR: "A file is in its way: move that away",
    errno.EEXIST: "A file is in its place: move that away",
}
"""What helps where it is not a matter of rights."""
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A directory that this process holds.

    Attributes:
        directory: Where it is, as an absolute path.
        worker_id: This worker.
        disk_id: Tells it from every other directory.
        fleet: Whose sessions are in it; None if it has only just been made.
    """

    directory: Path
    worker_id: str
    disk_id: str
    fleet: str | None

    def has_store(self, session_id: str) -> bool:
        """Whether a session's device store is here."""
        return has_device_store(self.directory / _SESSIONS / session_id)

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing of any session."""
        return not _has_contents(self.directory)


@contextlib.contextmanager
def claimed(directory: Path, *, worker_id: str) -> Iterator[Disk]:
    """Keep a directory to this process; blocks shortly.

    Raises:
        ConfigurationError: Another process has it, it is another worker's, or it cannot be used.
    """
    directory = directory.absolute()
    with _locked(directory, worker_id) as lock:
        disk = _identified(directory, worker_id)
        if disk.fleet is None and not disk.is_empty:
            log.warning("disk.adopted", directory=str(directory))
        _sign(lock, worker_id)
        yield disk


def looked_at(directory: Path, *, worker_id: str) -> Disk:
    """Say of a directory what `claimed` would, and leave it as it is; blocks shortly.

    A worker of this name may be using it.

    Raises:
        ConfigurationError: Another worker has it, it is another worker's, or it cannot be used.
    """
    directory = directory.absolute()
    try:
        if directory.exists():
            _probe(directory)
        else:
            _look_above(directory)
    except OSError as error:
        raise _unwritable(directory, error) from error
    _refuse_other_holder(directory, worker_id)
    return _identified(directory, worker_id)


async def settle(disk: Disk, records: DiskRecords, *, fleet: str, are_portable: bool) -> None:
    """Make sure that this is the disk on which the worker's sessions are, and note that it is.

    Waits for the database, and for the lease of a process that ran on another disk.

    Args:
        disk: The disk.
        records: What the database knows.
        fleet: Which fleet that is.
        are_portable: Whether copies can be read here.

    Raises:
        ConfigurationError: It is not.
    """
    _refuse_other_fleet(disk, fleet)
    known = await until_answered(records.known_disk, name="workers.known_disk")
    if known.disk_id not in (None, disk.disk_id):
        log.warning("disk.changed", directory=str(disk.directory))
        await _until_ended(disk, records)
    if known.disk_id is not None:
        await _look_for_stores(
            disk, records, is_same=known.disk_id == disk.disk_id, are_portable=are_portable
        )
    await asyncio.to_thread(_write_identity, disk, fleet)


async def examine(
    disk: Disk, records: DiskRecords, *, fleet: str | None, are_portable: bool
) -> None:
    """Say of a disk what `settle` would, at once, and change nothing.

    Args:
        disk: The disk.
        records: What the database knows.
        fleet: Which fleet that is; None if it has none yet.
        are_portable: Whether copies can be read here.

    Raises:
        ConfigurationError: It is not the one on which the worker's sessions are.
        DependencyError: The database cannot be asked.
    """
    _refuse_other_fleet(disk, fleet)
    known = await records.known_disk()
    if known.disk_id is None:
        return
    is_same = known.disk_id == disk.disk_id
    if not is_same and known.lease_seconds > 0:
        raise ConfigurationError(
            f"WORKER_ID: the worker {disk.worker_id} has a valid lease with another DATA_DIR: give"
            " each worker a name of its own. If it has ended, its lease soon does too"
        )
    await _look_for_stores(disk, records, is_same=is_same, are_portable=are_portable)


def _refuse_other_fleet(disk: Disk, fleet: str | None) -> None:
    if disk.fleet not in (None, fleet) and not disk.is_empty:
        raise ConfigurationError(
            f"DATA_DIR: {disk.directory} has the sessions of another fleet than that of"
            " DATABASE_URL: use the database that they are in, or give the worker another directory"
        )


async def _until_ended(disk: Disk, records: DiskRecords) -> None:
    """Wait for the end of a lease that nobody renews any more."""
    first = await until_answered(records.known_disk, name="workers.known_disk")
    while True:
        known = await until_answered(records.known_disk, name="workers.known_disk")
        if known.disk_id in (None, disk.disk_id) or known.lease_seconds <= 0:
            return
        if known.renewals != first.renewals:
            raise ConfigurationError(
                f"WORKER_ID: the worker {disk.worker_id} is running with another DATA_DIR: give"
                " each worker a name of its own"
            )
        await asyncio.sleep(_LOOK_SECONDS)


async def _look_for_stores(
    disk: Disk, records: DiskRecords, *, is_same: bool, are_portable: bool
) -> None:
    linked = await until_answered(records.linked_sessions, name="workers.linked_sessions")
    here = [one for one in linked if disk.has_store(one.session_id)]
    missing = [
        one.session_id
        for one in linked
        if not disk.has_store(one.session_id) and not (one.is_copied and are_portable)
    ]
    if not missing:
        return
    if is_same and here:  # some are lost, not the disk: the others must not wait for that
        log.error("disk.stores_missing", sessions=missing)
        return
    raise ConfigurationError(_missing_text(disk, missing, are_portable=are_portable))


def _missing_text(disk: Disk, missing: Sequence[str], *, are_portable: bool) -> str:
    named = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
    keys = "" if are_portable else " that can be read (SNAPSHOT_KEYS is not set)"
    return (
        f"DATA_DIR: {len(missing)} linked sessions of the worker {disk.worker_id} ({named}) have"
        f" neither their device stores in {disk.directory} nor a copy{keys}: it ran on another"
        " disk. Mount that one. If it is lost for good, run `gateway-worker ctl disk forget"
        f" {disk.worker_id}`; these sessions then have to be linked again"
    )


# The directory.


def _identified(directory: Path, worker_id: str) -> Disk:
    """Return the directory as this worker's; raises ConfigurationError if it is another's."""
    known = _read_identity(directory)
    if known is not None and known["worker"] != worker_id:
        if _has_contents(directory):
            raise ConfigurationError(
                f"DATA_DIR: {directory} has the sessions of the worker {known['worker']}, and this"
                f" one is {worker_id}: give it a directory of its own, or set"
                f" WORKER_ID={known['worker']}"
            )
        known = None  # emptied by a worker of another name: it begins anew
    return Disk(
        directory=directory,
        worker_id=worker_id,
        disk_id=known["disk"] if known is not None else str(uuid.uuid4()),
        fleet=known["fleet"] if known is not None else None,
    )


@contextlib.contextmanager
def _locked(directory: Path, worker_id: str) -> Iterator[int]:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(directory / DISK_LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _probe(directory)
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(_in_use_text(directory, lock, worker_id)) from None
        except OSError as error:
            raise ConfigurationError(_no_locks_text(directory, error)) from error
        yield lock
    finally:
        os.close(lock)


def _probe(directory: Path) -> None:
    """Find out whether files can be made; a disk that is full shows later. Raises OSError."""
    probe = directory / f".probe-{secrets.token_hex(4)}"
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    probe.unlink()


def _look_above(directory: Path) -> None:
    """Find out whether a directory that there is not could be made. Raises OSError."""
    above = next(path for path in directory.parents if path.exists())
    if not above.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _unwritable(directory: Path, error: OSError) -> ConfigurationError:
    remedy = _REMEDIES.get(error.errno or 0, "Let the user that the worker runs as write there")
    return ConfigurationError(
        f"DATA_DIR: {directory} cannot be written to: {error.strerror}. {remedy}, or name another"
        " directory"
    )


def _refuse_other_holder(directory: Path, worker_id: str) -> None:
    """Raise ConfigurationError if another worker has the directory now.

    The lock is not tried where this worker may be taking it: it would be refused.
    """
    try:
        lock = os.open(directory / DISK_LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # nobody has had it, or whoever has is not to be asked
        return
    try:
        if (_signature(lock) or {}).get("worker") == worker_id:
            return
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigurationError(_in_use_text(directory, lock, worker_id)) from None
    except OSError as error:
        raise ConfigurationError(_no_locks_text(directory, error)) from error
    finally:
        os.close(lock)


def _signature(lock: int) -> dict[str, Any] | None:
    """Return what whoever has the lock has written there, None if it cannot be read."""
    try:
        found = json.loads(os.pread(lock, 4096, 0))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _no_locks_text(directory: Path, error: OSError) -> str:
    return (
        f"DATA_DIR: the file system of {directory} has no locks ({error.strerror}), and device"
        " stores need them: use a local disk"
    )


def _in_use_text(directory: Path, lock: int, worker_id: str) -> str:
    holder = "another worker"
    with contextlib.suppress(KeyError):
        found = _signature(lock) or {}
        other = f"the worker {found['worker']}"
        name = "this same worker" if found["worker"] == worker_id else other
        holder = f"{name} (process {found['process']} on {found['machine']})"
    return (
        f"DATA_DIR: {directory} is in use by {holder}: give each worker a WORKER_ID and a DATA_DIR"
        " of its own"
    )


def _sign(lock: int, worker_id: str) -> None:
    """Say in the lock who has it, for whoever comes second."""
    signature = {"worker": worker_id, "process": os.getpid(), "machine": socket.gethostname()}
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, json.dumps(signature).encode(), 0)
    except OSError as error:  # a disk that is full
        log.warning("disk.not_signed", reason=error.strerror)


def _has_contents(directory: Path) -> bool:
    return any(
        (directory / name).is_dir() and any((directory / name).iterdir()) for name in _CONTENTS
    )


def _read_identity(directory: Path) -> dict[str, Any] | None:
    path = directory / IDENTITY_NAME
    try:
        found = json.loads(path.read_bytes())
        return {name: str(found[name]) for name in ("worker", "disk", "fleet")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"DATA_DIR: {path} cannot be read: remove it if you are sure whose directory this is"
        ) from error


def _write_identity(disk: Disk, fleet: str) -> None:
    identity = {"worker": disk.worker_id, "disk": disk.disk_id, "fleet": fleet}
    path = disk.directory / IDENTITY_NAME
    draft = path.with_suffix(".new")
    try:
        if path.exists() and _read_identity(disk.directory) == identity:
            return
        with draft.open("w") as file:
            json.dump(identity, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise _unwritable(disk.directory, error) from error
