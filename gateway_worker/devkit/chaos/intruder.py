"""Somebody who may write to the bucket, and puts an old copy of a device store in front of all."""

from typing import Final

from gateway_worker.devkit.chaos.contents import settings_of
from gateway_worker.devkit.services import ObjectStore
from gateway_worker.storage.objects import Bucket, Objects

_HIGHEST: Final = "-9999999999999-00000000.snap"


async def put_old_copy_first(store: ObjectStore, session_id: str) -> str | None:
    """Copy a session's oldest copy to a name above all others; returns it, or None without any.

    Raises:
        DependencyError: The store is unavailable.
    """
    async with Objects.open(settings_of(store)) as objects:
        bucket = Bucket(objects=objects)
        found = await bucket.find(f"sessions/{session_id}/device/")
        data = await bucket.get(found[0].key) if found else None
        if data is None:
            return None
        newest = found[-1].key
        key = newest[: newest.index("-", newest.rindex("/"))] + _HIGHEST
        await bucket.put(key, data, content_type="application/octet-stream")
        return key
