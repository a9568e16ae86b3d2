"""Copies of several owners, and what else of a session's directory goes along."""

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.layout import CARRIED_NAME
from gateway_worker.sessions.store.store_files import forget_local, pending_records
from gateway_worker.storage.objects import Bucket, ObjectSnapshots
from gateway_worker.whatsapp.host.spool import Spool
from tests.integration.storage.objects.support import made, make_store, stored_rows
from tests.support.copies import MemoryRegister


@pytest.fixture
def snapshots(bucket: Bucket, register: MemoryRegister) -> ObjectSnapshots:
    """Return snapshots under one key."""
    return made(bucket, register, "k1")


@contextmanager
def spool_in(directory: Path) -> Iterator[Spool]:
    """Open a directory's spool as a host does."""
    directory.mkdir(exist_ok=True)
    spool = Spool.open(directory=directory, limit_bytes=1 << 20, segment_bytes=256, sync=False)
    try:
        yield spool
    finally:
        spool.close()


@contextmanager
def host_in(directory: Path) -> Iterator[None]:
    """Hold the lock that a running host holds."""
    directory.mkdir(exist_ok=True)
    with (directory / "host.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def payloads(directory: Path) -> list[bytes]:
    """Return what is left in a spool."""
    found = []
    with spool_in(directory) as spool:
        while (record := spool.read()) is not None:
            found.append(record.payload)
    return found


async def test_an_earlier_owner_replaces_nothing(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Neither by a copy that it makes late, nor by one that was on its way."""
    make_store(tmp_path / "a", "of the first owner")
    make_store(tmp_path / "b", "of the second")
    assert await snapshots.save("shop", tmp_path / "a", epoch=1)
    (late_key,) = [info.key for info in await bucket.find("sessions/shop/")]
    late = await bucket.get(late_key)
    assert late is not None
    await snapshots.save("shop", tmp_path / "b", epoch=2)
    with capture_logs() as logs:
        assert not await snapshots.save("shop", tmp_path / "a", epoch=1)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("snapshot.not_stored", "error")
    ]
    assert snapshots.troubles == {"not_stored": 1}
    # On its way since before the second owner's, arrives when that one is there; far in the future
    # by the clock of the first.
    arrives = late_key.rpartition("/")[0] + "/e000000000001-9999999999999-00000000.snap"
    await bucket.put(arrives, late, content_type="application/octet-stream")
    assert await snapshots.restore("shop", tmp_path / "copy")
    assert stored_rows(tmp_path / "copy") == ["of the second"]


async def test_a_store_that_is_there_is_replaced_on_request_only(
    snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """And then whole: what SQLite kept beside the old one does not come back into the new one."""
    make_store(tmp_path / "a", "copied")
    await snapshots.save("shop", tmp_path / "a")
    make_store(tmp_path / "b", "here")
    (tmp_path / "b" / "store.db-wal").write_bytes(b"of the old store")
    assert not await snapshots.restore("shop", tmp_path / "b")
    assert (tmp_path / "b" / "store.db-wal").exists()
    assert await snapshots.restore("shop", tmp_path / "b", replace=True)
    assert not (tmp_path / "b" / "store.db-wal").exists()
    assert stored_rows(tmp_path / "b") == ["copied"]


async def test_nothing_is_taken_from_under_a_host(
    snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Neither replaced nor removed."""
    make_store(tmp_path / "a", "copied")
    await snapshots.save("shop", tmp_path / "a")
    make_store(tmp_path / "b", "here")
    with host_in(tmp_path / "b"):
        with pytest.raises(DependencyError, match="a host still uses"):
            await snapshots.restore("shop", tmp_path / "b", replace=True)
        assert not await asyncio.to_thread(forget_local, tmp_path / "b")
        assert stored_rows(tmp_path / "b") == ["here"]
    assert await asyncio.to_thread(forget_local, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert await asyncio.to_thread(forget_local, tmp_path / "b")


async def test_what_a_host_left_goes_along(snapshots: ObjectSnapshots, tmp_path: Path) -> None:
    """Records that nobody has acknowledged, and the journal; the next host reads on there."""
    make_store(tmp_path / "a", "x")
    with spool_in(tmp_path / "a") as spool:
        for number in range(20):
            spool.append(1, 0, b"%02d" % number * 20)
        spool.acknowledge(17)
    (tmp_path / "a" / "sends.journal").write_bytes(b"journal")
    assert pending_records(tmp_path / "a") == 3
    await snapshots.save("shop", tmp_path / "a")
    assert await snapshots.restore("shop", tmp_path / "b")
    assert (tmp_path / "b" / "sends.journal").read_bytes() == b"journal"
    assert pending_records(tmp_path / "b") == 3
    assert payloads(tmp_path / "b") == [b"%02d" % number * 20 for number in (17, 18, 19)]


async def test_records_of_ones_own_are_kept(snapshots: ObjectSnapshots, tmp_path: Path) -> None:
    """What came along is put beside them."""
    for name in ("a", "b"):
        make_store(tmp_path / name, name)
        with spool_in(tmp_path / name) as spool:
            spool.append(1, 0, name.encode())
    await snapshots.save("shop", tmp_path / "a")
    assert await snapshots.restore("shop", tmp_path / "b", replace=True)
    assert stored_rows(tmp_path / "b") == ["a"]
    assert payloads(tmp_path / "b") == [b"b"]
    assert payloads(tmp_path / "b" / CARRIED_NAME) == [b"a"]


async def test_of_a_running_host_the_store_alone_is_copied(
    snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Its spool and its journal would be wrong by the time they are needed."""
    make_store(tmp_path / "a", "x")
    with spool_in(tmp_path / "a") as spool:
        spool.append(1, 0, b"record")
    with host_in(tmp_path / "a"):
        await snapshots.save("shop", tmp_path / "a")
    assert await snapshots.restore("shop", tmp_path / "b")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["store.db"]
