"""The hot path: every change of every session, with its events, in a few statements per batch.

`store` runs the transaction, `steps` knows what of a batch takes effect, `statements` has the SQL,
`columns` makes the arrays it takes, `bodies` turns events into the bytes that go out.
"""

from gateway_worker.storage.db.changes.store import PostgresChangeStore

__all__ = ["PostgresChangeStore"]
