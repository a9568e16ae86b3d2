"""Which fleet a database is the truth of: an id that was drawn when it was first used."""

from typing import Final
from uuid import uuid4

from sqlalchemy import text

from gateway_worker.storage.db.database import Database

_DRAW: Final = text("INSERT INTO fleet (place, id) VALUES (1, :id) ON CONFLICT DO NOTHING")
_READ: Final = text("SELECT id FROM fleet WHERE place = 1")


async def fleet_id(database: Database) -> str:
    """Return the id of the fleet, the same for whoever asks. Raises `DependencyError`."""
    async with database.statement("asking for the fleet") as connection:
        found = await connection.scalar(_READ)
    if found is None:
        async with database.statement("naming the fleet") as connection:
            await connection.execute(_DRAW, {"id": uuid4()})
        async with database.statement("asking for the fleet") as connection:
            found = await connection.scalar(_READ)
    return str(found)
