"""Which copies of device stores count, and which fleet this is."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("newest", sa.Text(collation="C")),
        sa.Column("previous", sa.Text(collation="C")),
        sa.Column("floor", sa.Text(collation="C"), nullable=False, server_default=sa.text("''")),
        _moment("noted_at"),
        sa.PrimaryKeyConstraint("session_id", name="snapshots_pkey"),
    )
    op.create_table(
        "fleet",
        sa.Column("place", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("place", name="fleet_pkey"),
    )


def downgrade() -> None:
    op.drop_table("fleet")
    op.drop_table("snapshots")


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())
