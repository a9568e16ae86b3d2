"""A new key takes over everything that is stored, however often it has to begin again."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_worker.errors import DependencyError
from gateway_worker.storage.objects import (
    Bucket,
    Objects,
    ObjectsSettings,
    Rotation,
    rotate,
)
from tests.integration.storage.objects.support import keyring, made, make_store, stored_rows
from tests.support.copies import FLEET, MemoryRegister


async def copies(bucket: Bucket) -> dict[str, bytes]:
    """Return every copy by its key."""
    found = {info.key: await bucket.get(info.key) for info in await bucket.find("sessions/")}
    return {key: data for key, data in found.items() if data is not None}


async def saved(
    bucket: Bucket, register: MemoryRegister, directory: Path, *session_ids: str
) -> None:
    """Make two copies of each session under the first key."""
    snapshots = made(bucket, register, "k1")
    for session_id in session_ids:
        for row in ("older", "newer"):
            make_store(directory / session_id, row)
            await snapshots.save(session_id, directory / session_id, epoch=3)


async def test_everything_is_under_the_new_key_afterwards(
    bucket: Bucket, register: MemoryRegister, tmp_path: Path
) -> None:
    """In the same places, and the old key is not needed any more."""
    await saved(bucket, register, tmp_path, "shop", "bar")
    before = await copies(bucket)
    told: list[Rotation] = []

    done = await rotate(bucket, keyring("k2", "k1"), fleet=FLEET, progress=told.append)

    assert done == Rotation(total=4, rotated=4)
    assert [state.done for state in told] == [1, 2, 3, 4]
    after = await copies(bucket)
    assert list(after) == list(before)
    assert all(data.startswith(b"WGS\x02\x02k2") for data in after.values())
    only_new = made(bucket, register, "k2")
    assert await only_new.restore("shop", tmp_path / "copy")
    assert stored_rows(tmp_path / "copy") == ["older", "newer"]
    assert await rotate(bucket, keyring("k2"), fleet=FLEET) == Rotation(total=4, current=4)


async def test_what_cannot_be_opened_is_left_and_told(
    bucket: Bucket, register: MemoryRegister, tmp_path: Path
) -> None:
    """A copy under a key that is not given may still be somebody's only one."""
    await saved(bucket, register, tmp_path, "shop")
    before = await copies(bucket)
    with capture_logs() as logs:
        assert await rotate(bucket, keyring("k2"), fleet=FLEET) == Rotation(total=2, unreadable=2)
    assert await copies(bucket) == before
    told = [entry["key"] for entry in logs if entry["event"] == "snapshot.unusable"]
    assert sorted(told) == sorted(before)  # several are looked at side by side


async def test_a_copy_that_was_replaced_meanwhile_is_not_written_over(
    bucket: Bucket, register: MemoryRegister, tmp_path: Path
) -> None:
    """The condition is the object's tag, not our hope."""
    await saved(bucket, register, tmp_path, "shop")
    key = next(iter(await copies(bucket)))
    stored = await bucket.get_tagged(key)
    assert stored is not None
    await bucket.put(key, b"another", content_type="text/plain")
    assert not await bucket.put_over(key, b"mine", tag=stored.tag, content_type="text/plain")
    assert await bucket.get(key) == b"another"
    await bucket.delete(key)
    assert not await bucket.put_over(key, b"mine", tag=stored.tag, content_type="text/plain")
    assert await bucket.get(key) is None


async def test_other_objects_are_left_alone(
    bucket: Bucket, register: MemoryRegister, tmp_path: Path
) -> None:
    """Also those that are below a session."""
    await saved(bucket, register, tmp_path, "shop")
    for key in ("sessions/shop/media/a.snap", "sessions/shop/device/notes.txt", "b.snap"):
        await bucket.put(key, b"1", content_type="text/plain")
    assert await rotate(bucket, keyring("k2", "k1"), fleet=FLEET) == Rotation(total=2, rotated=2)
    assert await bucket.get("sessions/shop/media/a.snap") == b"1"


async def test_a_store_that_is_away_ends_it(
    settings: ObjectsSettings, unused_tcp_port: int
) -> None:
    """With the usual error, so that whoever asked knows to ask again."""
    elsewhere = settings.model_copy(update={"endpoint_url": f"http://127.0.0.1:{unused_tcp_port}"})
    async with Objects.open(elsewhere) as away:
        with pytest.raises(DependencyError):
            await rotate(Bucket(objects=away), keyring("k2", "k1"), fleet=FLEET)
