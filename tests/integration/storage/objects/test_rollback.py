"""Whoever may write to the bucket can destroy copies, but roll nobody's device back with one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gateway_worker.errors import DependencyError
from gateway_worker.storage.objects import Bucket, Objects, ObjectSnapshots, ObjectsSettings
from tests.integration.storage.objects.support import made, make_store, stored_rows
from tests.support.copies import MemoryRegister

HIGHER = "e000000000001-9999999999999-00000000.snap"
MUCH_HIGHER = "e000000000009-9999999999999-00000000.snap"


@pytest.fixture
def snapshots(bucket: Bucket, register: MemoryRegister) -> ObjectSnapshots:
    """Return snapshots under one key."""
    return made(bucket, register, "k1")


async def saved(
    bucket: Bucket, snapshots: ObjectSnapshots, directory: Path, row: str, session_id: str = "shop"
) -> tuple[str, bytes]:
    """Make a copy with one more row; returns its key and what is stored."""
    make_store(directory / "live", row)
    before = {info.key for info in await bucket.find(f"sessions/{session_id}/")}
    assert await snapshots.save(session_id, directory / "live", epoch=1)
    (key,) = {info.key for info in await bucket.find(f"sessions/{session_id}/")} - before
    stored = await bucket.get(key)
    assert stored is not None
    return key, stored


async def put(bucket: Bucket, key: str, data: bytes) -> None:
    """Put an object as somebody else does."""
    await bucket.put(key, data, content_type="application/octet-stream")


@pytest.mark.parametrize("name", [HIGHER, MUCH_HIGHER])
async def test_an_old_copy_under_a_higher_name_is_not_taken_for_the_newest(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path, name: str
) -> None:
    """Nor does it keep later copies from being made; both times it is told."""
    old_key, old = await saved(bucket, snapshots, tmp_path, "first")
    await saved(bucket, snapshots, tmp_path, "second")
    await put(bucket, f"{old_key.rpartition('/')[0]}/{name}", old)

    with capture_logs() as logs:
        assert await snapshots.restore("shop", tmp_path / "copy")
        await saved(bucket, snapshots, tmp_path, "third")
    assert stored_rows(tmp_path / "copy") == ["first", "second"]
    assert await snapshots.restore("shop", tmp_path / "copy", replace=True)
    assert stored_rows(tmp_path / "copy") == ["first", "second", "third"]
    told = {entry["event"] for entry in logs if entry["log_level"] == "error"}
    assert told == {"snapshot.unusable", "snapshot.stranger"}


async def test_an_old_copy_under_its_own_name_is_refused(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """As a bucket with versions can bring it back, with the newer ones taken away."""
    old_key, old = await saved(bucket, snapshots, tmp_path, "first")
    for row in ("second", "third"):
        await saved(bucket, snapshots, tmp_path, row)
    await bucket.delete_prefix("sessions/shop/")
    await put(bucket, old_key, old)

    with capture_logs() as logs, pytest.raises(DependencyError, match="none of the 2 copies"):
        await snapshots.restore("shop", tmp_path / "copy")
    assert [entry["event"] for entry in logs] == ["snapshot.refused", *["snapshot.unusable"] * 2]
    assert not (tmp_path / "copy").exists()
    assert not await snapshots.holds("shop", epoch=1)


async def test_a_copy_of_a_device_that_was_unlinked_does_not_come_back(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Also if the session has no newer one yet."""
    old_key, old = await saved(bucket, snapshots, tmp_path, "unlinked")
    await snapshots.delete("shop")
    await put(bucket, old_key, old)
    assert not await snapshots.restore("shop", tmp_path / "copy")
    await saved(bucket, snapshots, tmp_path, "linked anew")
    assert await bucket.get(old_key) is None


async def test_a_copy_opens_in_its_own_place_only(
    bucket: Bucket,
    register: MemoryRegister,
    snapshots: ObjectSnapshots,
    settings: ObjectsSettings,
    tmp_path: Path,
) -> None:
    """Not for another session, not in another fleet, not below another prefix; all have the key."""
    key, data = await saved(bucket, snapshots, tmp_path, "row")
    name = key.rpartition("/")[2]
    other_fleet = made(bucket, register, "k1", fleet="c6a1c2c4-6a2d-4c35-bf6c-6f3f6a1d1a11")
    with pytest.raises(DependencyError, match="none of the 1 copies"):
        await other_fleet.restore("shop", tmp_path / "copy")
    await put(bucket, f"sessions/cafe/device/{name}", data)
    with pytest.raises(DependencyError, match="none of the 1 copies"):
        await snapshots.restore("cafe", tmp_path / "copy")
    elsewhere = settings.model_copy(update={"prefix": f"{settings.prefix}other/"})
    async with Objects.open(elsewhere) as objects:
        there = Bucket(objects=objects)
        await put(there, key, data)
        with pytest.raises(DependencyError, match="none of the 1 copies"):
            await made(there, register, "k1").restore("shop", tmp_path / "copy")
    assert await snapshots.restore("shop", tmp_path / "copy")


async def test_a_copy_of_an_earlier_format_is_named_as_such(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """An operator need not guess at a wrong key."""
    key, data = await saved(bucket, snapshots, tmp_path, "row")
    await put(bucket, key, b"WGS\x01" + data[4:])
    with capture_logs() as logs, pytest.raises(DependencyError):
        await snapshots.restore("shop", tmp_path / "copy")
    assert "format 1" in logs[0]["detail"]


async def test_a_copy_before_the_newest_is_used_if_that_is_gone(
    bucket: Bucket, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """WhatsApp heals the difference of one copy; that it was necessary is an error."""
    await saved(bucket, snapshots, tmp_path, "first")
    newest, _ = await saved(bucket, snapshots, tmp_path, "second")
    await bucket.delete(newest)
    with capture_logs() as logs:
        assert await snapshots.restore("shop", tmp_path / "copy")
    assert stored_rows(tmp_path / "copy") == ["first"]
    assert [entry["event"] for entry in logs] == ["snapshot.unusable", "snapshot.older_used"]


async def test_a_copy_that_could_not_be_noted_is_found_all_the_same(
    bucket: Bucket, register: MemoryRegister, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Its maker's machine may be lost before the database is back."""
    await saved(bucket, snapshots, tmp_path, "first")
    make_store(tmp_path / "live", "second")
    register.away = True
    with pytest.raises(DependencyError):
        await snapshots.save("shop", tmp_path / "live", epoch=1)
    register.away = False
    assert await made(bucket, register, "k1").restore("shop", tmp_path / "copy")
    assert stored_rows(tmp_path / "copy") == ["first", "second"]


async def test_a_session_that_was_deleted_gets_no_copy(
    bucket: Bucket, register: MemoryRegister, snapshots: ObjectSnapshots, tmp_path: Path
) -> None:
    """Nor does its namesake get one of its."""
    make_store(tmp_path / "live", "row")
    register.sessions["shop"] = 7
    with capture_logs() as logs:
        assert not await snapshots.save("shop", tmp_path / "live", epoch=6)
    assert "snapshot.not_stored" in [entry["event"] for entry in logs]
    assert await bucket.find("sessions/") == []


@pytest.fixture(params=[True, False])
async def intruder(
    request: pytest.FixtureRequest, unused_tcp_port: int, settings: ObjectsSettings
) -> AsyncIterator[Bucket]:
    """A proxy that answers for the store: whatever is asked, or only what is to be written."""

    async def answer(asked: web.Request) -> web.Response:
        if asked.method == "GET" and not request.param:
            text = "<Error><Code>NoSuchKey</Code></Error>"
            return web.Response(status=404, text=text, content_type="application/xml")
        return web.Response(text="<html>Please log in</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    elsewhere = settings.model_copy(update={"endpoint_url": f"http://127.0.0.1:{unused_tcp_port}"})
    async with Objects.open(elsewhere) as objects:
        yield Bucket(objects=objects)
    await runner.cleanup()


async def test_a_proxy_s_page_is_no_copy(
    intruder: Bucket, register: MemoryRegister, tmp_path: Path
) -> None:
    """Though it comes with the status that says so."""
    make_store(tmp_path / "live", "row")
    snapshots = made(intruder, register, "k1")
    with pytest.raises(DependencyError):
        await snapshots.save("shop", tmp_path / "live", epoch=1)
    known = await register.known("shop")
    assert known is not None
    assert known.newest is None
