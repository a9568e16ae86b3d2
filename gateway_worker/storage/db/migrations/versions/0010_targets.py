"""Find what is about a message: edits, deletions, reactions.

They are few, so the index has only them.
"""

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX messages_target_idx ON messages"
        " (session_id, (content -> 'target' ->> 'message_id')) WHERE content ? 'target'"
    )


def downgrade() -> None:
    op.drop_index("messages_target_idx", "messages")
