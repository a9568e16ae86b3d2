"""Call a conversation the same by whichever of a person's ids a message comes."""

from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the name; which ids belong together is found out by the next message."""
    op.execute("ALTER TABLE chats ADD COLUMN chat_id text")
    op.execute("UPDATE chats SET chat_id = chat")
    op.execute("ALTER TABLE chats ALTER COLUMN chat_id SET NOT NULL")
    op.execute("ALTER TABLE chats ADD COLUMN since timestamptz NOT NULL DEFAULT now()")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE chats DROP COLUMN since")
    op.execute("ALTER TABLE chats DROP COLUMN chat_id")
