"""PostgreSQL, the source of truth: connections, schema, migrations and the stores behind the ports.

`database` keeps the connections, `schema` has the tables, `migrate` brings a database up to date.
The stores: `changes` writes what happens to sessions together with its events (the hot path),
`inbox` makes each command happen once, `outbox` is the queue of events, `sessions`, `messages` and
`workers` are look-ups and ownership. This package is the only user of SQLAlchemy.
"""

from gateway_worker.storage.db.changes import PostgresChangeStore
from gateway_worker.storage.db.copies import PostgresCopyRegister
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.failures import StatementRefusedError
from gateway_worker.storage.db.fleet import fleet_id
from gateway_worker.storage.db.inbox import PostgresInboxStore
from gateway_worker.storage.db.messages import PostgresMessageStore
from gateway_worker.storage.db.outbox import PostgresOutboxStore
from gateway_worker.storage.db.sessions import PostgresSessionStore
from gateway_worker.storage.db.settings import DatabaseSettings
from gateway_worker.storage.db.workers import PostgresWorkerStore

__all__ = [
    "Database",
    "DatabaseSettings",
    "PostgresChangeStore",
    "PostgresCopyRegister",
    "PostgresInboxStore",
    "PostgresMessageStore",
    "PostgresOutboxStore",
    "PostgresSessionStore",
    "PostgresWorkerStore",
    "StatementRefusedError",
    "fleet_id",
]
