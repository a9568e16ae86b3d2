"""Know the events again whose id says what they tell of, when that arrives again."""

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "told_events",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column(
            "told_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")
        ),
        sa.PrimaryKeyConstraint("session_id", "event_id", name="told_events_pkey"),
    )
    op.create_index("told_events_told_at_idx", "told_events", ["told_at"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("told_events")
