"""Count the bytes of files that each tenant has on each day."""

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "tenant_media_bytes",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "day", name="tenant_media_bytes_pkey"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("tenant_media_bytes")
