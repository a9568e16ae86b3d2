"""What a copy of a session's files holds. Pure, but for reading the files.

Usually that is the device store alone, as SQLite writes it. A directory at rest may also hold
spooled records that nobody has taken and the journal of its sends: then the copy is a tar archive
of all of them. The first bytes tell the two apart.
"""

import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.layout import (
    DEVICE_STORE_NAME,
    JOURNAL_PREFIX,
    SPOOL_ACK_NAME,
    SPOOL_PREFIX,
)
from gateway_worker.sessions.store.store_files import (
    journal_files,
    pending_records,
    spool_segments,
    unused,
)
from gateway_worker.storage.objects.device_files import UnusableCopyError, read_store

_SQLITE: Final = b"SQLite format 3\x00"
_SPOOL: Final = re.compile(rf"{re.escape(SPOOL_PREFIX)}[0-9]{{1,20}}|{re.escape(SPOOL_ACK_NAME)}")
_JOURNAL: Final = re.compile(rf"{re.escape(JOURNAL_PREFIX)}[a-z0-9.]{{1,40}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The files of a session, by name."""

    store: bytes
    spool: Mapping[str, bytes] = field(default_factory=dict)
    journal: Mapping[str, bytes] = field(default_factory=dict)


def read_copy(directory: Path) -> Copy:
    """Read the files of a session; the store may be in use. Blocks.

    While a host runs, the spool empties itself and the journal grows, so a copy of them would be
    wrong when it is needed: they are taken from a directory at rest only.

    Raises:
        UnusableCopyError: The store is damaged or holds no device.
        DependencyError: The files cannot be read.
    """
    store = read_store(directory / DEVICE_STORE_NAME)
    try:
        with unused(directory) as free:
            if not free:
                return Copy(store=store)
            spool = spool_segments(directory) if pending_records(directory) else []
            if spool and (acknowledged := directory / SPOOL_ACK_NAME).exists():
                spool.append(acknowledged)
            return Copy(
                store=store,
                spool={path.name: path.read_bytes() for path in spool},
                journal={path.name: path.read_bytes() for path in journal_files(directory)},
            )
    except OSError as error:
        raise DependencyError(f"the session's files cannot be read: {error.strerror}") from error


def packed(copy: Copy) -> bytes:
    """Return a copy as bytes."""
    if not copy.spool and not copy.journal:
        return copy.store
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in {DEVICE_STORE_NAME: copy.store, **copy.spool, **copy.journal}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def unpacked(data: bytes) -> Copy:
    """Read what `packed` made. Raises `UnusableCopyError`."""
    if data.startswith(_SQLITE):
        return Copy(store=data)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            files = {entry.name: _read(archive, entry) for entry in archive.getmembers()}
    except tarfile.TarError as error:
        raise UnusableCopyError("the copy is neither a store nor an archive") from error
    store = files.pop(DEVICE_STORE_NAME, None)
    if store is None:
        raise UnusableCopyError("the copy holds no device store")
    return Copy(
        store=store,
        spool={name: file for name, file in files.items() if _SPOOL.fullmatch(name)},
        journal={name: file for name, file in files.items() if _JOURNAL.fullmatch(name)},
    )


def _read(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry) if entry.isreg() else None
    if file is None:
        raise UnusableCopyError("the copy holds something that is no file")
    return file.read()
