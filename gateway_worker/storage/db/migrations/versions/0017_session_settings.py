"""Keep what backends set of their sessions."""

from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column: of what there is, nothing has been set."""
    op.execute("ALTER TABLE sessions ADD COLUMN settings jsonb NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE sessions DROP COLUMN settings")
