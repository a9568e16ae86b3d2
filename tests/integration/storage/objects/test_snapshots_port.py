"""Copies of device stores keep the same promises in the object store and in a test's memory."""

from pathlib import Path

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.ports import DeviceSnapshots
from gateway_worker.storage.objects import Bucket
from tests.integration.storage.objects.support import made, make_store, stored_rows
from tests.support.copies import MemoryRegister
from tests.support.snapshots import MemorySnapshots


@pytest.fixture(params=["objects", "memory"])
def copies(
    request: pytest.FixtureRequest, bucket: Bucket, register: MemoryRegister
) -> DeviceSnapshots:
    """Return what keeps copies."""
    return MemorySnapshots() if request.param == "memory" else made(bucket, register, "k1")


async def test_they_can_be_had_elsewhere(copies: DeviceSnapshots) -> None:
    """And whoever comes from elsewhere needs them."""
    assert copies.are_portable
    assert copies.are_needed


async def test_a_store_comes_back(copies: DeviceSnapshots, tmp_path: Path) -> None:
    """As it was at the newest copy, however that was made."""
    new = tmp_path / "new"
    assert not await copies.restore("shop", new)
    assert not new.exists()
    make_store(tmp_path / "old", "a")
    assert await copies.save("shop", tmp_path / "old", epoch=2)
    make_store(tmp_path / "old", "b")
    assert await copies.save("shop", tmp_path / "old", epoch=2, again=True)
    assert await copies.restore("shop", new)
    assert stored_rows(new) == ["a", "b"]


async def test_a_store_that_is_there_is_kept_unless_it_is_to_be_replaced(
    copies: DeviceSnapshots, tmp_path: Path
) -> None:
    """It may be newer."""
    make_store(tmp_path / "old", "copied")
    make_store(tmp_path / "new", "there")
    await copies.save("shop", tmp_path / "old", epoch=1)
    assert not await copies.restore("shop", tmp_path / "new")
    assert stored_rows(tmp_path / "new") == ["there"]
    assert await copies.restore("shop", tmp_path / "new", replace=True)
    assert stored_rows(tmp_path / "new") == ["copied"]


async def test_a_copy_is_held_for_its_owner_and_those_before(
    copies: DeviceSnapshots, tmp_path: Path
) -> None:
    """A later owner needs one of its own."""
    make_store(tmp_path, "a")
    assert not await copies.holds("shop", epoch=0)
    await copies.save("shop", tmp_path, epoch=3)
    assert [await copies.holds("shop", epoch=epoch) for epoch in (2, 3, 4)] == [True, True, False]
    assert not await copies.holds("other", epoch=0)


async def test_a_former_owner_does_not_put_its_copy_in_place_of_a_later_one(
    copies: DeviceSnapshots, tmp_path: Path
) -> None:
    """It is told that its copy is not the newest."""
    make_store(tmp_path / "former", "former")
    make_store(tmp_path / "owner", "owner")
    assert await copies.save("shop", tmp_path / "owner", epoch=3)
    assert not await copies.save("shop", tmp_path / "former", epoch=2)
    assert await copies.restore("shop", tmp_path / "next")
    assert stored_rows(tmp_path / "next") == ["owner"]


async def test_without_a_store_no_copy_is_made(copies: DeviceSnapshots, tmp_path: Path) -> None:
    """Those that there are stay."""
    make_store(tmp_path / "old", "a")
    await copies.save("shop", tmp_path / "old", epoch=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DependencyError):
        await copies.save("shop", tmp_path / "empty", epoch=2)
    assert await copies.holds("shop", epoch=1)


async def test_what_is_deleted_is_gone(copies: DeviceSnapshots, tmp_path: Path) -> None:
    """Once more does no harm."""
    make_store(tmp_path / "old", "a")
    await copies.save("shop", tmp_path / "old", epoch=1)
    for _ in range(2):
        await copies.delete("shop")
    assert not await copies.holds("shop", epoch=0)
    assert not await copies.restore("shop", tmp_path / "new")
