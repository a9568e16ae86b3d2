"""Device stores and their copies, as the tests handle them."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from gateway_worker.sessions.store.store_files import forget_local
from gateway_worker.storage.objects import Bucket, ObjectSnapshots


@dataclass(frozen=True, kw_only=True)
class Files:
    """SQLite files, with copies in the object store."""

    bucket: Bucket
    snapshots: ObjectSnapshots

    async def secure(self, session_id: str, directory: Path, *, epoch: int) -> None:
        """Make sure that another worker can take the device over as it is now."""
        await self.snapshots.save(session_id, directory, epoch=epoch)

    async def take_over(self, session_id: str, directory: Path) -> None:
        """Be another worker that gets the device, in a directory of its own."""
        assert await self.snapshots.restore(session_id, directory, replace=True)

    async def delete(self, session_id: str, directory: Path) -> None:
        """Delete the session's device, with all copies."""
        await self.snapshots.delete(session_id)
        assert await asyncio.to_thread(forget_local, directory)

    async def traces(self, session_id: str, directory: Path) -> list[str]:
        """Return what is left of it anywhere."""
        objects = [info.key for info in await self.bucket.find(f"sessions/{session_id}/")]
        return objects + await asyncio.to_thread(_names, directory)


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.glob("*")]
