"""What a command said, so that its id is not taken for another one."""

from collections.abc import Sequence

from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the column; commands from before have none, and take any content for theirs."""
    op.execute("ALTER TABLE commands ADD COLUMN fingerprint text")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE commands DROP COLUMN fingerprint")
