"""What a session has left where: rows, keys, objects."""

from collections.abc import Mapping

import aioboto3
import asyncpg
import redis.asyncio


async def database_rows(database_url: str, session_id: str) -> dict[str, int]:
    """Return how many rows each table has of a session."""
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        tables = await connection.fetch(
            "SELECT table_name, max(column_name) AS key FROM information_schema.columns"
            " WHERE table_schema = 'public' AND (column_name = 'session_id'"
            " OR (table_name = 'sessions' AND column_name = 'id')) GROUP BY table_name"
        )
        return {
            table["table_name"]: await connection.fetchval(
                f'SELECT count(*) FROM "{table["table_name"]}" WHERE "{table["key"]}" = $1',
                session_id,
            )
            for table in tables
        }
    finally:
        await connection.close()


async def redis_keys(environment: Mapping[str, str], session_id: str) -> list[str]:
    """Return the keys that name a session."""
    client = redis.asyncio.from_url(environment["REDIS_URL"], decode_responses=True)
    try:
        pattern = f"{environment['REDIS_PREFIX']}*{session_id}*"
        return [key async for key in client.scan_iter(match=pattern)]
    finally:
        await client.aclose()


async def route(environment: Mapping[str, str], session_id: str) -> dict[str, str]:
    """Return what the routing table says of a session; nothing if it has no entry."""
    client = redis.asyncio.from_url(environment["REDIS_URL"], decode_responses=True)
    try:
        found = await client.hgetall(f"{environment['REDIS_PREFIX']}session:{session_id}")
        return {str(name): str(value) for name, value in found.items()}
    finally:
        await client.aclose()


async def objects(environment: Mapping[str, str], session_id: str) -> list[str]:
    """Return the keys of the objects that name a session."""
    return sorted(await object_versions(environment, session_id))


async def object_versions(environment: Mapping[str, str], session_id: str) -> dict[str, str]:
    """Return the objects that name a session: their keys, and what changes with their content."""
    session = aioboto3.Session()
    async with session.client(
        "s3",
        endpoint_url=environment["S3_ENDPOINT_URL"],
        aws_access_key_id=environment["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["S3_SECRET_ACCESS_KEY"],
        region_name=environment["S3_REGION"],
    ) as client:
        listing = await client.list_objects_v2(
            Bucket=environment["S3_BUCKET"], Prefix=environment["S3_PREFIX"]
        )
        return {
            entry["Key"]: entry["ETag"]
            for entry in listing.get("Contents", ())
            if f"/{session_id}/" in entry["Key"]
        }
