"""Find what is old in commands, messages and receipts.

By moments that never change: an index of one that does would cost every update a second entry.
"""

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_index("commands_received_at_idx", "commands", ["received_at"])
    op.create_index("messages_stored_at_idx", "messages", ["stored_at"])
    op.create_index("receipts_timestamp_idx", "receipts", ["timestamp"])


def downgrade() -> None:
    op.drop_index("receipts_timestamp_idx", "receipts")
    op.drop_index("messages_stored_at_idx", "messages")
    op.drop_index("commands_received_at_idx", "commands")
