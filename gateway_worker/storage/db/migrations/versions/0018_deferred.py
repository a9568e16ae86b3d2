"""Commands that are executed later, and bulks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "deferred",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("batch", sa.Text, nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "batch", "row", name="deferred_pkey"),
    )
    op.create_index(
        "deferred_due_idx",
        "deferred",
        ["session_id", "due_at", "batch"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "bulks",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("load", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("options", JSONB, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("succeeded", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("failed", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("uncertain", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("cancelled", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.Column("starts_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("result_key", sa.Text),
        sa.PrimaryKeyConstraint("session_id", "id", name="bulks_pkey"),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index("bulks_load_idx", "bulks", ["load"])
    op.create_index(
        "bulks_open_idx",
        "bulks",
        ["session_id"],
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("bulks")
    op.drop_table("deferred")
