"""Keep what may have been sent, so that a receipt of it says what became of its command."""

from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column; whatever is there was sent."""
    op.execute("ALTER TABLE messages ADD COLUMN uncertain boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    """Drop it, and what was perhaps not sent."""
    op.execute("DELETE FROM messages WHERE uncertain")
    op.execute("ALTER TABLE messages DROP COLUMN uncertain")
