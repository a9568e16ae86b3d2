"""Which fleet a database is the truth of: an id that was drawn when it was first used."""

from typing import Final
from uuid import uuid4

from sqlalchemy import text

from gateway_worker.storage.db.database import Database

_DRAW: Final = text("INSERT INTO fleet (place, id) VALUES (1, :id) ON CONFLICT DO NOTHING")
_READ: Final = text("SELECT id FROM fleet WHERE place = 1")


async def known_fleet(database: Database) -> str | None:
    """Return the id of the fleet, None if none has been drawn. Raises `DependencyError`."""
    async with database.statement("asking for the fleet") as connection:
        found = await connection.scalar(_READ)
    return None if found is None else str(found)


async def fleet_id(database: Database) -> str:
    """Return the id of the fleet, the same for whoever asks. Raises `DependencyError`."""
    found = await known_fleet(database)
    if found is None:
        async with database.statement("naming the fleet") as connection:
            await connection.execute(_DRAW, {"id": uuid4()})
        found = await known_fleet(database)
    return str(found)
