"""Alembic's entry into the migrations: they run on the connection that `migrate` hands over."""

from alembic import context

from gateway_worker.storage.db.schema import metadata


def run() -> None:
    """Run what alembic was asked for, each migration in a transaction of its own.

    So a migration may leave its transaction (`autocommit_block`) without ending another one's.
    """
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        transaction_per_migration=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
