"""What ownership needs: markers under way, incarnations of workers, whose run was interrupted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column(
        "sessions", sa.Column("pending", JSONB, nullable=False, server_default=sa.text("'[]'"))
    )
    op.create_index(
        "sessions_pending_idx",
        "sessions",
        ["id"],
        postgresql_where=sa.text("pending <> '[]'::jsonb"),
    )
    op.add_column("workers", sa.Column("incarnation", sa.Uuid))
    op.add_column(
        "workers",
        sa.Column("draining", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
    op.add_column(
        "workers",
        sa.Column("lease_seconds", sa.Double, nullable=False, server_default=sa.text("15")),
    )
    op.add_column("workers", sa.Column("resumed_at", sa.DateTime(timezone=True)))
    op.add_column("commands", sa.Column("previous_worker_id", sa.Text))
    op.add_column("commands", sa.Column("previous_epoch", sa.BigInteger))


def downgrade() -> None:
    for column in ("previous_epoch", "previous_worker_id"):
        op.drop_column("commands", column)
    for column in ("resumed_at", "lease_seconds", "draining", "incarnation"):
        op.drop_column("workers", column)
    op.drop_index("sessions_pending_idx", "sessions")
    op.drop_column("sessions", "pending")
