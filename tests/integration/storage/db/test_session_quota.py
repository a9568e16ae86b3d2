"""How many sessions one tenant may have, counted where they are."""

import asyncio

import pytest

from gateway_worker.errors import QuotaExceededError
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.storage.db import PostgresSessionStore
from tests.integration.storage.db.support import opened, session_row


async def test_a_tenant_has_so_many_sessions_and_no_more(database_url: str) -> None:
    """Also if they come at the same time; what is there already is there, and nobody else waits."""
    async with opened(database_url) as database:
        store = PostgresSessionStore(database=database, most_per_tenant=2)
        ends = await asyncio.gather(
            *(store.create(session_row(f"acme.{name}")) for name in "abcd"), return_exceptions=True
        )
        refused = [end for end in ends if isinstance(end, QuotaExceededError)]
        assert len(refused) == 2
        made = [end.session_id for end in ends if isinstance(end, SessionRow)]
        assert await store.create(session_row(made[0])) is None
        for name in ("acme-2.a", "mallory.a", "a", "b", "c"):
            assert await store.create(session_row(name)) is not None
        with pytest.raises(QuotaExceededError):
            await store.create(session_row("acme.e"))
