"""Sessions, workers, commands, messages, receipts and the outbox."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    _create_sessions()
    _create_workers()
    _create_commands()
    _create_history()
    _create_outbox()


def downgrade() -> None:
    for table in ("outbox", "receipts", "messages", "commands", "workers", "sessions"):
        op.drop_table(table)


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("desired", sa.Text, nullable=False),
        sa.Column("pairing", JSONB, nullable=False),
        sa.Column("device_name", sa.Text, nullable=False),
        sa.Column("labels", JSONB, nullable=False),
        sa.Column("account", JSONB),
        sa.Column("worker_id", sa.Text),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("last_sequence", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("tenant_id", sa.Text),
        _moment("created_at"),
        _moment("updated_at"),
        sa.PrimaryKeyConstraint("id", name="sessions_pkey"),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index("sessions_worker_id_idx", "sessions", ["worker_id"])


def _create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        _moment("started_at"),
        _moment("heartbeat_at"),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="workers_pkey"),
        postgresql_with={"fillfactor": "50"},
    )


def _create_commands() -> None:
    op.create_table(
        "commands",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("outcome", JSONB),
        sa.Column("worker_id", sa.Text),
        sa.Column("epoch", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        _moment("received_at"),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="commands_pkey"),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("commands_session_id_idx", "commands", ["session_id"])


def _create_history() -> None:
    op.create_table(
        "messages",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("content", JSONB, nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("command_id", sa.Text),
        _moment("stored_at"),
        sa.PrimaryKeyConstraint(
            "session_id", "message_id", "chat", "direction", name="messages_pkey"
        ),
    )
    op.create_table(
        "receipts",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("participant", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "session_id", "message_id", "participant", "status", name="receipts_pkey"
        ),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("routing_key", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("correlation_id", sa.Text),
        sa.Column("traceparent", sa.Text),
        sa.Column("worker_id", sa.Text, nullable=False),
        sa.Column("forget", sa.Boolean, nullable=False, server_default=sa.text("false")),
        _moment("created_at"),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="outbox_pkey"),
    )
    op.create_index(
        "outbox_pending_idx",
        "outbox",
        ["worker_id", "id"],
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_index(
        "outbox_published_idx",
        "outbox",
        ["published_at"],
        postgresql_where=sa.text("published_at IS NOT NULL"),
    )
    op.create_index("outbox_session_id_id_idx", "outbox", ["session_id", "id"])
