"""Device stores are copied and come back, whatever happened to one of the copies."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.ports import DeviceSnapshots
from gateway_worker.storage.objects import (
    Bucket,
    DisabledSnapshots,
    Objects,
    ObjectSnapshots,
    ObjectsSettings,
    device_snapshots,
)
from tests.integration.storage.objects.support import keyring, made, make_store, stored_rows
from tests.support.clocks import ManualClock
from tests.support.copies import FLEET, MemoryRegister


@pytest.fixture
def snapshots(bucket: Bucket, register: MemoryRegister) -> ObjectSnapshots:
    """Return snapshots under one key."""
    return made(bucket, register, "k1")


async def keys(bucket: Bucket, session_id: str = "shop") -> list[str]:
    """Return the keys of a session's copies, the oldest first."""
    return [info.key for info in await bucket.find(f"sessions/{session_id}/device/")]


async def test_a_store_comes_back_elsewhere(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Readable by its owner only, with everything in it."""
    make_store(tmp_path / "old", "a", "b")
    new = tmp_path / "new" / "shop"
    assert not await snapshots.restore("shop", new)
    assert not new.exists()
    await snapshots.save("shop", tmp_path / "old")
    assert await snapshots.restore("shop", new)
    assert stored_rows(new) == ["a", "b"]
    assert (new / "store.db").stat().st_mode & 0o777 == 0o600
    assert new.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in new.iterdir()] == ["store.db"]


async def test_what_is_stored_is_not_to_be_read(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """The object is an envelope and nothing of the database shows."""
    make_store(tmp_path, "a very secret value " * 50)
    await snapshots.save("shop", tmp_path)
    (key,) = await keys(bucket)
    envelope = await bucket.get(key)
    assert envelope is not None
    assert envelope.startswith(b"WGS\x02\x02k1")
    for plain in (b"SQLite", b"secret", b"CREATE"):
        assert plain not in envelope


async def test_a_store_is_copied_while_it_is_written(
    snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Each copy has a whole number of transactions of two rows."""
    make_store(tmp_path / "live")
    stop = asyncio.Event()

    def write() -> None:
        with closing(sqlite3.connect(tmp_path / "live" / "store.db")) as database:
            number = 0
            while not stop.is_set():
                with database:
                    database.executemany("INSERT INTO entry VALUES (?)", [(str(number),)] * 2)
                number += 1

    writing = asyncio.create_task(asyncio.to_thread(write))
    try:
        for number in range(5):
            await snapshots.save("shop", tmp_path / "live")
            assert await snapshots.restore("shop", tmp_path / f"{number}")
    finally:
        stop.set()
        await writing
    copies = [stored_rows(tmp_path / f"{number}") for number in range(5)]
    for rows in copies:
        assert rows == [str(number) for number in range(len(rows) // 2) for _ in range(2)]
    assert len(copies[0]) < len(copies[-1])


async def test_two_copies_are_kept(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """The newest ones, and those of other sessions are left alone."""
    make_store(tmp_path, "0")
    await snapshots.save("shop2", tmp_path)
    before = await keys(bucket, "shop2")
    seen: list[str] = []
    for number in range(1, 5):
        make_store(tmp_path, str(number))
        await snapshots.save("shop", tmp_path)
        seen += [key for key in await keys(bucket) if key not in seen]
        assert await keys(bucket) == seen[-2:]
    assert len(seen) == 4
    assert await keys(bucket, "shop2") == before


async def test_a_copy_right_after_another_one_takes_one_step(
    bucket: Bucket, register: MemoryRegister, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the newest although the clock stands still; the next copy removes those behind it."""
    clock = ManualClock(at=datetime(2031, 1, 1, tzinfo=UTC))
    snapshots = made(bucket, register, "k1", clock=clock)
    make_store(tmp_path / "live", "first")
    await snapshots.save("shop", tmp_path / "live", epoch=4)
    with monkeypatch.context() as patched:
        for step in ("find", "delete"):
            patched.setattr(bucket, step, None)
        for text in ("second", "third"):
            make_store(tmp_path / "live", text)
            await snapshots.save("shop", tmp_path / "live", epoch=4, again=True)
    assert await snapshots.restore("shop", tmp_path / "copy")
    assert stored_rows(tmp_path / "copy") == ["first", "second", "third"]
    assert len(await keys(bucket)) == 3
    await snapshots.save("shop", tmp_path / "live", epoch=4)
    assert len(await keys(bucket)) == 2


async def test_the_first_copy_under_an_epoch_looks_at_what_is_there(
    bucket: Bucket, register: MemoryRegister, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Whatever it is called: a later owner may have made one."""
    make_store(tmp_path / "mine", "mine")
    make_store(tmp_path / "theirs", "theirs")
    await snapshots.save("shop", tmp_path / "mine", epoch=4)
    other = made(bucket, register, "k1")
    await other.save("shop", tmp_path / "theirs", epoch=6)
    assert not await snapshots.save("shop", tmp_path / "mine", epoch=5, again=True)
    assert len(await keys(bucket)) == 2
    # A quick one, by a worker that does not know yet that it has lost the session, changes nothing.
    assert not await snapshots.save("shop", tmp_path / "mine", epoch=4, again=True)
    assert len(await keys(bucket)) == 2
    assert await snapshots.restore("shop", tmp_path / "copy")
    assert stored_rows(tmp_path / "copy") == ["theirs"]


async def test_a_worker_whose_clock_is_behind_makes_the_newest_copy(
    bucket: Bucket, register: MemoryRegister, tmp_path: Path
) -> None:
    """Copies are ordered by who came last, not by whose clock is ahead."""
    for year in (2031, 2030, 2029):
        make_store(tmp_path / "live", str(year))
        clock = ManualClock(at=datetime(year, 1, 1, tzinfo=UTC))
        snapshots = made(bucket, register, "k1", clock=clock)
        await snapshots.save("shop", tmp_path / "live")
    assert await snapshots.restore("shop", tmp_path / "copy")
    assert stored_rows(tmp_path / "copy") == ["2031", "2030", "2029"]
    assert len(await keys(bucket)) == 2


@pytest.mark.parametrize("damage", ["junk", "cut", "flipped", "empty", "of another session"])
async def test_the_copy_before_a_damaged_one_is_used(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path, damage: str
) -> None:
    """And the damage is told."""
    make_store(tmp_path / "live", "older")
    await snapshots.save("shop", tmp_path / "live")
    make_store(tmp_path / "live", "newer")
    await snapshots.save("shop", tmp_path / "live")
    await snapshots.save("other", tmp_path / "live")
    _, newest = await keys(bucket)
    good = await bucket.get(newest)
    (foreign_key,) = await keys(bucket, "other")
    foreign = await bucket.get(foreign_key)
    assert good is not None
    assert foreign is not None
    bad = {
        "junk": b"junk" * 100,
        "cut": good[:-20],
        "flipped": good[:60] + bytes([good[60] ^ 1]) + good[61:],
        "empty": b"",
        "of another session": foreign,
    }[damage]
    await bucket.put(newest, bad, content_type="application/octet-stream")
    with capture_logs() as logs:
        assert await snapshots.restore("shop", tmp_path / "copy")
    assert stored_rows(tmp_path / "copy") == ["older"]
    assert [entry["key"] for entry in logs if entry["event"] == "snapshot.unusable"] == [newest]


async def test_copies_of_which_none_is_usable_are_not_taken_for_none(
    bucket: Bucket, register: MemoryRegister, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """A session without a store counts as lost and its copies go; a missing key must not do that.

    The store on disk stays as it is.
    """
    make_store(tmp_path / "live", "a")
    await snapshots.save("shop", tmp_path / "live")
    make_store(tmp_path / "here", "mine")
    without_the_key = made(bucket, register, "k2")
    with pytest.raises(DependencyError, match="none of the 1 copies"):
        await without_the_key.restore("shop", tmp_path / "here", replace=True)
    assert stored_rows(tmp_path / "here") == ["mine"]
    assert len(await keys(bucket)) == 1


async def test_a_key_can_be_replaced(
    bucket: Bucket, register: MemoryRegister, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """The old one opens what it has sealed; what is new is under the new one."""
    make_store(tmp_path / "live", "a")
    await snapshots.save("shop", tmp_path / "live")
    both = made(bucket, register, "k2", "k1")
    assert await both.restore("shop", tmp_path / "one")
    make_store(tmp_path / "live", "b")
    await both.save("shop", tmp_path / "live")
    only_new = made(bucket, register, "k2")
    assert await only_new.restore("shop", tmp_path / "two")
    assert stored_rows(tmp_path / "one") == ["a"]
    assert stored_rows(tmp_path / "two") == ["a", "b"]


async def test_a_store_that_cannot_be_copied_leaves_the_copies(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """A missing or a new, empty store pushes nothing out."""
    make_store(tmp_path / "live", "a")
    await snapshots.save("shop", tmp_path / "live")
    before = await keys(bucket)
    (tmp_path / "new").mkdir()
    with closing(sqlite3.connect(tmp_path / "new" / "store.db")) as database, database:
        database.execute("CREATE TABLE whatsmeow_device (jid TEXT)")
    for directory in (tmp_path / "nowhere", tmp_path / "new"):
        with pytest.raises(DependencyError):
            await snapshots.save("shop", directory)
    assert await keys(bucket) == before


async def test_a_deleted_session_leaves_nothing(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Not even what was about to be saved; and later it may be saved again."""
    make_store(tmp_path, "a")
    await snapshots.save("shop", tmp_path)
    await snapshots.save("shop2", tmp_path)
    saving = [asyncio.create_task(snapshots.save("shop", tmp_path)) for _ in range(3)]
    await asyncio.sleep(0)  # they have begun
    await snapshots.delete("shop")
    await asyncio.gather(*saving)
    assert await bucket.find("sessions/shop/") == []
    assert len(await keys(bucket, "shop2")) == 1
    await snapshots.delete("shop")
    await snapshots.save("shop", tmp_path)
    assert len(await keys(bucket)) == 1


async def test_an_object_store_that_is_away_is_reported(
    settings: ObjectsSettings, register: MemoryRegister, tmp_path: Path, unused_tcp_port: int
) -> None:
    """By each call, as something that passes; on disk nothing changes."""
    make_store(tmp_path / "live", "a")
    elsewhere = settings.model_copy(update={"endpoint_url": f"http://127.0.0.1:{unused_tcp_port}"})
    async with Objects.open(elsewhere) as away:
        snapshots = made(Bucket(objects=away), register, "k1")
        with pytest.raises(DependencyError):
            await snapshots.save("shop", tmp_path / "live")
        with pytest.raises(DependencyError):
            await snapshots.restore("shop", tmp_path / "copy")
        with pytest.raises(DependencyError):
            await snapshots.delete("shop")
    assert not (tmp_path / "copy").exists()


async def test_without_keys_there_are_no_copies(
    bucket: Bucket, register: MemoryRegister, tmp_path: Path
) -> None:
    """It is said once, and the worker goes on."""
    make_store(tmp_path / "live", "a")
    disabled: DeviceSnapshots = device_snapshots(
        bucket=bucket, keyring=None, register=register, fleet=FLEET
    )
    assert isinstance(disabled, DisabledSnapshots)
    with capture_logs() as logs:
        for _ in range(2):
            assert not await disabled.save("shop", tmp_path / "live")
        assert not await disabled.holds("shop", epoch=0)
        assert not await disabled.restore("shop", tmp_path / "copy")
        await disabled.delete("shop")
    assert [entry["event"] for entry in logs] == ["snapshots.disabled"]
    assert await keys(bucket) == []
    assert isinstance(
        device_snapshots(bucket=bucket, keyring=keyring("k1"), register=register, fleet=FLEET),
        ObjectSnapshots,
    )
