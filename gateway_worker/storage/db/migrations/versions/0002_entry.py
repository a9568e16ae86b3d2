"""Name the batch that entered a command, so that a repeat after a lost answer counts once."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("commands", sa.Column("entry", sa.Uuid))


def downgrade() -> None:
    op.drop_column("commands", "entry")
