"""Messages and receipts by their whole keys: a message's id is unique within its chat only."""

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

_MESSAGES = ("session_id", "message_id", "chat", "direction")
_RECEIPTS = ("session_id", "message_id", "participant", "status")


def upgrade() -> None:
    op.drop_constraint("messages_pkey", "messages")
    op.create_primary_key("messages_pkey", "messages", [*_MESSAGES, "sender"])
    op.add_column("receipts", sa.Column("chat", sa.Text))
    op.execute("""
        UPDATE receipts AS r SET chat = COALESCE((
            SELECT m.chat FROM messages AS m
            WHERE m.session_id = r.session_id AND m.message_id = r.message_id
                AND m.direction = 'out'
            ORDER BY m.chat <> r.participant LIMIT 1
        ), r.participant)
    """)
    op.alter_column("receipts", "chat", nullable=False)
    op.drop_constraint("receipts_pkey", "receipts")
    op.create_primary_key(
        "receipts_pkey", "receipts", ["session_id", "message_id", "chat", "participant", "status"]
    )
    op.create_index(
        "commands_executing_idx",
        "commands",
        ["session_id"],
        postgresql_where=sa.text("state = 'executing'"),
    )


def downgrade() -> None:
    op.drop_index("commands_executing_idx", "commands")
    op.drop_constraint("receipts_pkey", "receipts")
    _keep_one_each("receipts", _RECEIPTS)
    op.drop_column("receipts", "chat")
    op.create_primary_key("receipts_pkey", "receipts", list(_RECEIPTS))
    op.drop_constraint("messages_pkey", "messages")
    _keep_one_each("messages", _MESSAGES)
    op.create_primary_key("messages_pkey", "messages", list(_MESSAGES))


def _keep_one_each(table: str, columns: tuple[str, ...]) -> None:
    same = " AND ".join(f"a.{column} = b.{column}" for column in columns)
    op.execute(f"DELETE FROM {table} AS a USING {table} AS b WHERE {same} AND a.ctid > b.ctid")  # noqa: S608 - constants
