"""The roles of `deploy/postgresql`: each can do its work, and no more."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from gateway_worker.storage.db import migrate
from tests.integration.storage.db.support import opened
from tests.support.databases import execute
from tests.support.services import random_name

ROLES = (Path(__file__).parents[4] / "deploy/postgresql/roles.sql").read_text()


class Roles:
    """The roles under names of a test's own: a server has one of each for all its databases."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._prefix = random_name()

    @property
    def script(self) -> str:
        """What creates them."""
        return ROLES.replace("gateway_", f"{self._prefix}_")

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(f"{self._prefix}_{role}" for role in ("owner", "worker", "monitor"))

    def url(self, role: str) -> str:
        """Return the database's URL as one of them."""
        parts = urlsplit(self._database_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{self._prefix}_{role}:p@{host}"))


@pytest.fixture
async def roles(blank_database_url: str) -> AsyncIterator[Roles]:
    """Create them, in an empty database."""
    roles = Roles(blank_database_url)
    await execute(blank_database_url, roles.script)
    for name in roles.names:
        await execute(blank_database_url, f"ALTER ROLE {name} PASSWORD 'p'")
    yield roles
    for name in roles.names:
        await execute(blank_database_url, f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


async def test_a_worker_can_work_in_what_the_owner_has_migrated(roles: Roles) -> None:
    """The worker's own check of its rights finds nothing missing."""
    await migrate.upgrade(roles.url("owner"))

    async with opened(roles.url("worker")) as database:
        await database.check()


async def test_neither_worker_nor_monitor_can_do_more(roles: Roles) -> None:
    """A worker makes no table and drops none; a monitor reads no message."""
    await migrate.upgrade(roles.url("owner"))

    for role, statement in (
        ("worker", "CREATE TABLE mine (id int)"),
        ("worker", "DROP TABLE messages"),
        ("worker", "ALTER TABLE messages ADD COLUMN mine int"),
        ("monitor", "SELECT * FROM public.messages"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(roles.url(role), statement)


async def test_it_can_be_run_again(roles: Roles, blank_database_url: str) -> None:
    """After an upgrade that brings other rights, for instance; passwords stay."""
    await execute(blank_database_url, roles.script)

    await execute(roles.url("monitor"), "SELECT * FROM pg_stat_activity")
