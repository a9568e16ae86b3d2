"""Count the bytes of files that arrive apart from those that a tenant sends.

Until now one column has had both: those of the days before stay there.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "tenant_media_bytes",
        sa.Column("received_bytes", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_column("tenant_media_bytes", "received_bytes")
