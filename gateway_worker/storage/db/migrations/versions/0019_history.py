"""Find messages by chat and by session, commands by what backends call their messages.

An index of the moments alone gives way to one that has the session before them: the retention goes
from session to session. Built while nobody writes: minutes for tens of millions of messages.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Build the new indexes before the old ones go."""
    op.create_index("messages_chat_idx", "messages", ["session_id", "chat", "timestamp"])
    op.create_index("messages_stored_idx", "messages", ["session_id", "stored_at"])
    op.drop_index("messages_stored_at_idx", "messages")
    op.create_index("chats_chat_id_idx", "chats", ["session_id", "chat_id"])
    op.add_column("commands", sa.Column("client_ref", sa.Text))
    op.create_index(
        "commands_client_ref_idx",
        "commands",
        ["session_id", "client_ref"],
        postgresql_where=sa.text("client_ref IS NOT NULL"),
    )
    op.drop_index("commands_session_id_idx", "commands")
    op.create_index(
        "commands_session_id_received_at_idx", "commands", ["session_id", "received_at"]
    )
    op.create_table(
        "chat_reads",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "chat", name="chat_reads_pkey"),
    )


def downgrade() -> None:
    op.drop_table("chat_reads")
    op.drop_index("commands_session_id_received_at_idx", "commands")
    op.create_index("commands_session_id_idx", "commands", ["session_id"])
    op.drop_index("commands_client_ref_idx", "commands")
    op.drop_column("commands", "client_ref")
    op.drop_index("chats_chat_id_idx", "chats")
    op.create_index("messages_stored_at_idx", "messages", ["stored_at"])
    op.drop_index("messages_stored_idx", "messages")
    op.drop_index("messages_chat_idx", "messages")
