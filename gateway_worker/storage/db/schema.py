"""The tables. The migrations build the same; a test compares the two.

No foreign keys: whatever is written about a session is written under the lock of its row, and the
check of a key would cost a look-up per message.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={"pk": "%(table_name)s_pkey", "ix": "%(table_name)s_%(column_0_N_name)s_idx"}
)


def _moment(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("desired", Text, nullable=False),
    Column("pairing", JSONB, nullable=False),
    Column("device_name", Text, nullable=False),
    Column("labels", JSONB, nullable=False),
    Column("account", JSONB),
    # Who owns the session; `epoch` grows with each claim and fences the owner before off.
    Column("worker_id", Text),
    Column("epoch", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("tenant_id", Text),
    _moment("created_at"),
    _moment("updated_at"),
    # Changes of owner whose marker is under way: [{"epoch": …, "queue_of": …}], the oldest first.
    Column("pending", JSONB, nullable=False, server_default=text("'[]'")),
    # The epoch with which it was created: whatever has an older one is a deleted namesake's.
    Column("first_epoch", BigInteger, nullable=False, server_default=text("1")),
    # The backend's notes, which each of the session's events carries.
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
    # Whether WhatsApp lets the account begin new chats (see `sessions.session.reachout`).
    Column("reachout", JSONB),
    # What its backend has set, by setting; what is absent is the worker's own.
    Column("settings", JSONB, nullable=False, server_default=text("'{}'")),
    Index(None, "worker_id"),
    Index("sessions_pending_idx", "id", postgresql_where=text("pending <> '[]'::jsonb")),
    # `last_sequence` changes with every batch: room for the new version on the same page spares
    # both the indexes and the vacuum.
    postgresql_with={"fillfactor": "50"},
)

# What a deleted session leaves: where the next one of its name goes on counting. There are never
# more rows than names that were once used.
former_sessions = Table(
    "former_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    _moment("deleted_at"),
)

# The copies of a session's device store that count. Names sort by owner and then by age.
snapshots = Table(
    "snapshots",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("newest", Text(collation="C")),
    Column("previous", Text(collation="C")),
    # Names up to this one are void: the device in them is unlinked.
    Column("floor", Text(collation="C"), nullable=False, server_default=text("''")),
    _moment("noted_at"),
)

# One row: which fleet this database is the truth of.
fleet = Table(
    "fleet",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("id", Uuid, nullable=False),
    _moment("created_at"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("capacity", Integer, nullable=False),
    _moment("started_at"),
    _moment("heartbeat_at"),
    Column("lease_expires_at", DateTime(timezone=True), nullable=False),
    # New with each start: a process that finds another's has lost its name to it.
    Column("incarnation", Uuid),
    Column("draining", Boolean, nullable=False, server_default=text("false")),
    Column("lease_seconds", Double, nullable=False, server_default=text("15")),
    # The directory on which it ran last (see `sessions.ownership.disk`).
    Column("disk_id", Uuid),
    # When the lease was last renewed although it had ended.
    Column("resumed_at", DateTime(timezone=True)),
    postgresql_with={"fillfactor": "50"},
)

commands = Table(
    "commands",
    metadata,
    Column("id", Text, primary_key=True),
    Column("session_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("state", Text, nullable=False),
    # Of one that is executing, what a disk has told of a run before (see `sessions.found_sends`).
    Column("outcome", JSONB),
    Column("worker_id", Text),
    Column("epoch", BigInteger),
    Column("attempts", Integer, nullable=False),
    _moment("received_at"),
    Column("finished_at", DateTime(timezone=True)),
    # Which batch entered it last: repeated because its answer was lost, it counts once.
    Column("entry", Uuid),
    # Whose run the present one has interrupted; without a worker there was none.
    Column("previous_worker_id", Text),
    Column("previous_epoch", BigInteger),
    # What it says (see commands/fingerprint.py); of those from before that was kept there is none.
    Column("fingerprint", Text),
    # What the backend calls the message that it sends.
    Column("client_ref", Text),
    # Those of a session, by the day.
    Index(None, "session_id", "received_at"),
    # Only those that have one pay for it.
    Index(
        "commands_client_ref_idx",
        "session_id",
        "client_ref",
        postgresql_where=text("client_ref IS NOT NULL"),
    ),
    # Few at a time: the sends that a receipt may be about.
    Index("commands_executing_idx", "session_id", postgresql_where=text("state = 'executing'")),
    # For the retention, also of those of no session; `finished_at` would cost each update a second
    # entry.
    Index(None, "received_at"),
    postgresql_with={"fillfactor": "80"},  # each is inserted once and finished once
)

messages = Table(
    "messages",
    metadata,
    # In this order the key also finds a message by its id alone.
    Column("session_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("chat", Text, primary_key=True),
    Column("direction", Text, primary_key=True),
    # In a group two members may choose the same id.
    Column("sender", Text, primary_key=True),
    Column("content", JSONB, nullable=False),
    Column("timestamp", DateTime(timezone=True), nullable=False),
    Column("command_id", Text),
    _moment("stored_at"),
    # What the backend calls a message that it sent.
    Column("client_ref", Text),
    # Nobody knows yet whether it was sent.
    Column("uncertain", Boolean, nullable=False, server_default=text("false")),
    # It was written before the account was linked: nothing that was received or sent here.
    Column("past", Boolean, nullable=False, server_default=text("false")),
    # A session's history in the order in which it was stored; for the retention, too, which goes
    # from session to session so that there need be no index of the moment alone.
    Index("messages_stored_idx", "session_id", "stored_at"),
    # A chat's history, and by its ends the chats of a session. Not partitioned by time: what is
    # unique about a message would have to include that.
    Index("messages_chat_idx", "session_id", "chat", "timestamp"),
    # What is about another message, by that one's id; few are. As PostgreSQL writes it, so that it
    # can be compared.
    Index(
        "messages_target_idx",
        "session_id",
        text("((content -> 'target'::text) ->> 'message_id'::text)"),
        postgresql_where=text("content ? 'target'"),
    ),
)

# Files that came with messages.
media = Table(
    "media",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("media_id", Text, primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("state", Text, nullable=False),
    # What backends are told of it, but for links, which are made anew each time.
    Column("media", JSONB, nullable=False),
    Column("file_name", Text),
    # Names its object within the session: the same file may have come with several messages.
    Column("sha256", Text),
    # Where WhatsApp has it, and its key; sealed if there is a key for that.
    Column("reference", LargeBinary, nullable=False),
    Column("thumbnail", LargeBinary),
    _moment("stored_at"),
    Index(None, "stored_at"),
    Index(None, "session_id", "sha256"),
    Index(
        "media_pending_idx",
        "session_id",
        "stored_at",
        postgresql_where=text("state = 'pending'::text"),
    ),
)

# With whom a session has exchanged messages; it outlives these.
chats = Table(
    "chats",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("chat", Text, primary_key=True),
    # What the conversation is called; the ids of one person have the same.
    Column("chat_id", Text, nullable=False),
    _moment("since"),
    # The ids of one conversation.
    Index("chats_chat_id_idx", "session_id", "chat_id"),
)

# What chats are set to: after how long their messages disappear; 0: they stay.
chat_timers = Table(
    "chat_timers",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("chat", Text, primary_key=True),
    Column("seconds", Integer, nullable=False),
    Column("set_at", DateTime(timezone=True), nullable=False),
)

# Who was erased from a session, by a hash of each id (see `storage.db.erased_people`).
erased_people = Table(
    "erased_people",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("person", LargeBinary, primary_key=True),
    Column("erased_at", DateTime(timezone=True), nullable=False),
)

# Commands that are executed later: those with a time of their own, and the rows of bulks.
deferred = Table(
    "deferred",
    metadata,
    Column("session_id", Text, primary_key=True),
    # The command's own id, or which load of rows it is of (see `sessions.deferred`).
    Column("batch", Text, primary_key=True),
    Column("row", Integer, primary_key=True),
    # Of a command of its own. The rows of a bulk go in their order.
    Column("due_at", DateTime(timezone=True)),
    # The command as it came; of a bulk's row what is its own.
    Column("body", LargeBinary, nullable=False),
    # What is due next, and the list of it; rows of bulks are found by the key.
    Index(
        "deferred_due_idx",
        "session_id",
        "due_at",
        "batch",
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

bulks = Table(
    "bulks",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("load", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("options", JSONB, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False, server_default=text("0")),
    Column("failed", Integer, nullable=False, server_default=text("0")),
    Column("uncertain", Integer, nullable=False, server_default=text("0")),
    Column("cancelled", Integer, nullable=False, server_default=text("0")),
    _moment("created_at"),
    Column("starts_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("result_key", Text),
    # Which rows nobody needs any more.
    Index(None, "load"),
    # What a worker looks for again and again; few bulks are not over.
    Index(
        "bulks_open_idx",
        "session_id",
        postgresql_where=text("finished_at IS NULL"),
    ),
    postgresql_with={"fillfactor": "50"},  # its counts change with each batch of rows
)

# Up to which moment of WhatsApp's the account has read what others wrote in a chat.
chat_reads = Table(
    "chat_reads",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("chat", Text, primary_key=True),
    Column("read_at", DateTime(timezone=True), nullable=False),
)

# How far a session has been looked at beside its traffic; see `analytics.review`.
session_reviews = Table(
    "session_reviews",
    metadata,
    Column("session_id", Text, primary_key=True),
    # The last message that was looked at for what nobody has confirmed: [moment, id, chat].
    Column("unconfirmed", JSONB),
    Column("told_day", Date),
    Column("grade", Text),
)

# What a session has sent and received, by the day: as it was counted when the day was over.
daily_counts = Table(
    "daily_counts",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("counts", JSONB, nullable=False),
    # The session's labels at that time.
    Column("labels", JSONB, nullable=False, server_default=text("'{}'")),
    # For the retention.
    Index(None, "day"),
)

# How many bytes of files each tenant has sent and uploaded on each day, and how many of those that
# came with messages were fetched, over all workers.
tenant_media_bytes = Table(
    "tenant_media_bytes",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("received_bytes", BigInteger, nullable=False, server_default=text("0")),
)

# Ids of events that are told once, although what they tell of may arrive again; see `Change.once`.
told_events = Table(
    "told_events",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    _moment("told_at"),
    # For the retention.
    Index(None, "told_at"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("chat", Text, primary_key=True),
    Column("participant", Text, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("timestamp", DateTime(timezone=True), nullable=False),
    Index(None, "timestamp"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("sequence", BigInteger),
    Column("type", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("correlation_id", Text),
    Column("traceparent", Text),
    # Whose relay publishes it; a worker that takes over a dead one's sessions takes its rows too.
    Column("worker_id", Text, nullable=False),
    # The session is deleted: the row goes as soon as it is published, not after the retention.
    Column("forget", Boolean, nullable=False, server_default=text("false")),
    _moment("created_at"),
    Column("published_at", DateTime(timezone=True)),
    Index("outbox_pending_idx", "worker_id", "id", postgresql_where=text("published_at IS NULL")),
    Index(
        "outbox_published_idx", "published_at", postgresql_where=text("published_at IS NOT NULL")
    ),
    # For the deletion of a session, and for replaying its events in order.
    Index(None, "session_id", "id"),
)
