"""Keep what a backend calls its messages and notes on its sessions, to give it back in events."""

from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add both; what there is has neither."""
    op.execute("ALTER TABLE sessions ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE messages ADD COLUMN client_ref text")


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE messages DROP COLUMN client_ref")
    op.execute("ALTER TABLE sessions DROP COLUMN metadata")
