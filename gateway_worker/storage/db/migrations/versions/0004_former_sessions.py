"""What a deleted session leaves, so that the next one of its name goes on counting."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "former_sessions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("last_sequence", sa.BigInteger, nullable=False),
        sa.Column(
            "deleted_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        sa.PrimaryKeyConstraint("id", name="former_sessions_pkey"),
    )
    op.add_column(
        "sessions",
        sa.Column("first_epoch", sa.BigInteger, nullable=False, server_default=sa.text("1")),
    )


def downgrade() -> None:
    op.drop_column("sessions", "first_epoch")
    op.drop_table("former_sessions")
