"""Files that came with messages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "media",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("media_id", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("media", JSONB, nullable=False),
        sa.Column("file_name", sa.Text),
        sa.Column("sha256", sa.Text),
        sa.Column("reference", sa.LargeBinary, nullable=False),
        sa.Column("thumbnail", sa.LargeBinary),
        sa.Column(
            "stored_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        sa.PrimaryKeyConstraint("session_id", "media_id", name="media_pkey"),
    )
    op.create_index("media_stored_at_idx", "media", ["stored_at"])
    op.create_index("media_session_id_sha256_idx", "media", ["session_id", "sha256"])
    op.create_index(
        "media_pending_idx",
        "media",
        ["session_id", "stored_at"],
        postgresql_where=sa.text("state = 'pending'::text"),
    )


def downgrade() -> None:
    op.drop_table("media")
