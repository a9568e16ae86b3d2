"""Both kinds of device stores, as the tests handle them."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import asyncpg

from gateway_worker.sessions.store_files import forget_local, remove_directory
from gateway_worker.storage.db.device_stores import PostgresDeviceStores
from gateway_worker.storage.objects import Bucket, ObjectSnapshots
from gateway_worker.whatsapp.launcher import DeviceSource


class StoreKind(Protocol):
    """What differs between them."""

    @property
    def device_source(self) -> DeviceSource | None:
        """What hosts are launched with."""
        ...

    async def secure(self, session_id: str, directory: Path, *, epoch: int) -> None:
        """Make sure that another worker can take the device over as it is now."""
        ...

    async def take_over(self, session_id: str, directory: Path) -> None:
        """Be another worker that gets the device, in a directory of its own."""
        ...

    async def delete(self, session_id: str, directory: Path) -> None:
        """Delete the session's device."""
        ...

    async def traces(self, session_id: str, directory: Path) -> list[str]:
        """Return what is left of it anywhere."""
        ...


@dataclass(frozen=True, kw_only=True)
class Files:
    """SQLite files, with copies in the object store."""

    bucket: Bucket
    snapshots: ObjectSnapshots
    device_source: None = None

    async def secure(self, session_id: str, directory: Path, *, epoch: int) -> None:
        """Copy the files."""
        await self.snapshots.save(session_id, directory, epoch=epoch)

    async def take_over(self, session_id: str, directory: Path) -> None:
        """Bring the newest copy."""
        assert await self.snapshots.restore(session_id, directory, replace=True)

    async def delete(self, session_id: str, directory: Path) -> None:
        """Remove copies and files."""
        await self.snapshots.delete(session_id)
        assert await asyncio.to_thread(forget_local, directory)

    async def traces(self, session_id: str, directory: Path) -> list[str]:
        """Look for objects and files."""
        objects = [info.key for info in await self.bucket.find(f"sessions/{session_id}/")]
        return objects + await asyncio.to_thread(_names, directory)


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A schema per session in PostgreSQL."""

    stores: PostgresDeviceStores
    url: str

    @property
    def device_source(self) -> DeviceSource:
        """Where the library finds its tables."""
        return self.stores.source

    async def secure(self, session_id: str, directory: Path, *, epoch: int) -> None:
        """Nothing has to be done."""
        await self.stores.save(session_id, directory, epoch=epoch)

    async def take_over(self, session_id: str, directory: Path) -> None:
        """Nothing has to be brought."""
        assert await self.stores.restore(session_id, directory, replace=True)
        assert await asyncio.to_thread(_names, directory) == []

    async def delete(self, session_id: str, directory: Path) -> None:
        """Drop the schema."""
        await self.stores.delete(session_id)
        await asyncio.to_thread(remove_directory, directory)

    async def traces(self, session_id: str, directory: Path) -> list[str]:
        """Look for tables and files."""
        connection: asyncpg.Connection = await asyncpg.connect(self.url)
        try:
            rows = await connection.fetch(
                "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
                " WHERE nspname = $1",
                self.stores.schema(session_id),
            )
        finally:
            await connection.close()
        return [str(row["relname"]) for row in rows] + await asyncio.to_thread(_names, directory)


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.glob("*")]
