"""Keep with whom a session is in touch, and whether WhatsApp lets it begin new chats."""

from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add both; the chats there are follow from the messages."""
    op.execute("ALTER TABLE sessions ADD COLUMN reachout jsonb")
    op.execute(
        "CREATE TABLE chats (session_id text NOT NULL, chat text NOT NULL,"
        " CONSTRAINT chats_pkey PRIMARY KEY (session_id, chat))"
    )
    op.execute("INSERT INTO chats SELECT DISTINCT session_id, chat FROM messages")


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE chats")
    op.execute("ALTER TABLE sessions DROP COLUMN reachout")
