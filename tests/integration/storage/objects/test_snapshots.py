"""Device stores are copied and come back, whatever happened to one of the copies."""

from pathlib import Path

from gateway_worker.storage.objects import Bucket, ObjectSnapshots
from tests.integration.storage.objects.support import keyring, make_store, stored_rows


async def test_a_store_comes_back_elsewhere(bucket: Bucket, tmp_path: Path) -> None:
    """Readable by its owner only, with everything in it."""
    make_store(tmp_path / "old", "a", "b")
    snapshots = ObjectSnapshots(bucket=bucket, keyring=keyring("k1"))
    assert not await snapshots.restore("shop", tmp_path / "new" / "shop")
    await snapshots.save("shop", tmp_path / "old")
    assert await snapshots.restore("shop", tmp_path / "new" / "shop")
    assert stored_rows(tmp_path / "new" / "shop") == ["a", "b"]
    assert (tmp_path / "new" / "shop" / "store.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new" / "shop").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (tmp_path / "new" / "shop").iterdir()] == ["store.db"]
