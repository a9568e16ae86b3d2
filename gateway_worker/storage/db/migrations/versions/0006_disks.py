"""On which disk a worker ran last."""

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("disk_id", sa.Uuid))


def downgrade() -> None:
    op.drop_column("workers", "disk_id")
