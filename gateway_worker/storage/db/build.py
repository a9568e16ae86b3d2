"""The tables of one worker, as the ports that their callers have."""

from dataclasses import dataclass

from gateway_worker.storage.db.analytics import PostgresAnalyticsStore
from gateway_worker.storage.db.bulks import PostgresBulkStore
from gateway_worker.storage.db.changes.store import PostgresChangeStore
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.deferred import PostgresDeferredStore
from gateway_worker.storage.db.erasing import PostgresErasureStore
from gateway_worker.storage.db.exporting import PostgresPersonStore
from gateway_worker.storage.db.history import PostgresHistoryStore
from gateway_worker.storage.db.inbox import PostgresInboxStore
from gateway_worker.storage.db.media import PostgresMediaTable
from gateway_worker.storage.db.media_bytes import PostgresByteCounts
from gateway_worker.storage.db.messages import PostgresMessageStore
from gateway_worker.storage.db.outbox import PostgresOutboxStore
from gateway_worker.storage.db.past_messages import PostgresPastMessages
from gateway_worker.storage.db.session_catalog import PostgresSessionCatalog
from gateway_worker.storage.db.sessions import PostgresSessionStore
from gateway_worker.storage.db.uncertain import PostgresUncertainSends


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What is read and written through one pool of connections."""

    bulks: PostgresBulkStore
    catalog: PostgresSessionCatalog
    changes: PostgresChangeStore
    deferred: PostgresDeferredStore
    analytics: PostgresAnalyticsStore
    erasure: PostgresErasureStore
    history: PostgresHistoryStore
    inbox: PostgresInboxStore
    media: PostgresMediaTable
    media_bytes: PostgresByteCounts
    messages: PostgresMessageStore
    outbox: PostgresOutboxStore
    past: PostgresPastMessages
    people: PostgresPersonStore
    sessions: PostgresSessionStore
    uncertain: PostgresUncertainSends


def build_stores(database: Database, *, worker_id: str, sessions_per_tenant: int = 0) -> Stores:
    """Build the stores of a worker.

    Args:
        database: Where the tables are.
        worker_id: That worker.
        sessions_per_tenant: How many sessions one tenant may have; 0: any number.
    """
    return Stores(
        bulks=PostgresBulkStore(database=database),
        catalog=PostgresSessionCatalog(database=database),
        changes=PostgresChangeStore(database=database, worker_id=worker_id),
        deferred=PostgresDeferredStore(database=database),
        analytics=PostgresAnalyticsStore(database=database),
        erasure=PostgresErasureStore(database=database),
        history=PostgresHistoryStore(database=database),
        inbox=PostgresInboxStore(database=database),
        media=PostgresMediaTable(database=database),
        media_bytes=PostgresByteCounts(database=database),
        messages=PostgresMessageStore(database=database),
        outbox=PostgresOutboxStore(database=database, worker_id=worker_id),
        past=PostgresPastMessages(database=database),
        people=PostgresPersonStore(database=database),
        sessions=PostgresSessionStore(database=database, most_per_tenant=sessions_per_tenant),
        uncertain=PostgresUncertainSends(database=database),
    )
