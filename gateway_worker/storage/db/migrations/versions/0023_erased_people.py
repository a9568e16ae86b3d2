"""Remember who was erased from a session, and when: histories that come later leave them out."""

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "erased_people",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("person", sa.LargeBinary, nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "person", name="erased_people_pkey"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("erased_people")
