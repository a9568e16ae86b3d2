"""Tell messages that came with an account's history from those that arrived."""

from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column, which rewrites nothing: what there is has arrived, or was sent."""
    op.execute("ALTER TABLE messages ADD COLUMN past boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE messages DROP COLUMN past")
