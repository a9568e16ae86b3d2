"""PostgreSQL, the source of truth: connections, schema, migrations and the stores behind the ports.

`database` keeps the connections, `schema` has the tables, `migrate` brings a database up to date.
The stores: `changes` writes what happens to sessions together with its events (the hot path),
`inbox` makes each command happen once, `outbox` is the queue of events, `sessions`, `messages` and
`workers` are look-ups and ownership. This package is the only user of SQLAlchemy.
"""
