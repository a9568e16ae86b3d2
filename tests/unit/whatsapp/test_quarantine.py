"""What could not be told is kept aside, and not for ever."""

import os
import time
from pathlib import Path

from gateway_worker.host_protocol.layout import QUARANTINE_NAME
from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.host.quarantine import (
    MOST_BYTES,
    MOST_FILES,
    MOST_SECONDS,
    Quarantine,
)


def record(number: int, payload: bytes = b"raw") -> Record:
    """Return a record."""
    return Record(number=number, code=17, flags=0, payload=payload)


def kept(directory: Path) -> list[str]:
    """Return the names of what is kept."""
    return sorted(path.name for path in (directory / QUARANTINE_NAME).iterdir())


def test_a_record_is_kept_as_it_was(tmp_path: Path) -> None:
    """For its owner's eyes only."""
    assert Quarantine(directory=tmp_path).keep(record(5, b"\x00raw"))

    (path,) = (tmp_path / QUARANTINE_NAME).iterdir()
    assert (path.name, path.read_bytes()) == ("00000000000000000005-17", b"\x00raw")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_oldest_of_too_many_go(tmp_path: Path) -> None:
    """By number, by size and by age."""
    quarantine = Quarantine(directory=tmp_path)
    for number in range(MOST_FILES + 5):
        assert quarantine.keep(record(number))
        path = tmp_path / QUARANTINE_NAME / f"{number:020d}-17"
        os.utime(path, (time.time() - 1000 + number,) * 2)
    quarantine.prune()
    names = kept(tmp_path)
    assert (len(names), names[0]) == (MOST_FILES, f"{5:020d}-17")

    for path in (tmp_path / QUARANTINE_NAME).iterdir():
        os.utime(path, (time.time() - MOST_SECONDS - 60,) * 2)
    quarantine.prune()
    assert kept(tmp_path) == []

    for number in range(4):
        quarantine.keep(record(number, b"x" * MOST_BYTES))
        os.utime(tmp_path / QUARANTINE_NAME / f"{number:020d}-17", (time.time() - 10 + number,) * 2)
    quarantine.prune()
    assert kept(tmp_path) == [f"{number:020d}-17" for number in (2, 3)]


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """That is said, and nothing else happens."""
    (tmp_path / QUARANTINE_NAME).write_bytes(b"")

    assert not Quarantine(directory=tmp_path).keep(record(1))
