"""How far sessions are looked at beside their traffic, and what is counted of each day."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "session_reviews",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("unconfirmed", JSONB),
        sa.Column("told_day", sa.Date),
        sa.Column("grade", sa.Text),
        sa.PrimaryKeyConstraint("session_id", name="session_reviews_pkey"),
    )
    op.create_table(
        "daily_counts",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("labels", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.PrimaryKeyConstraint("session_id", "day", name="daily_counts_pkey"),
    )
    op.create_index("daily_counts_day_idx", "daily_counts", ["day"])


def downgrade() -> None:
    op.drop_table("daily_counts")
    op.drop_table("session_reviews")
