"""The statements of the hot path: one each for any number of rows, given as arrays.

Rows are taken in the order of their keys wherever two transactions could meet, so that they queue
instead of blocking each other.
"""

from sqlalchemy import text

LOCK_SESSIONS = text("""
    SELECT id, epoch FROM sessions WHERE id = ANY(CAST(:ids AS text[])) ORDER BY id FOR UPDATE
""")

FINISH_COMMANDS = text("""
    INSERT INTO commands AS c
        (id, session_id, type, state, outcome, epoch, attempts, worker_id, finished_at)
    SELECT u.id, u.session_id, u.type, u.state, u.outcome::jsonb, u.epoch, u.attempts,
        CAST(:worker_id AS text), now()
    FROM unnest(CAST(:ids AS text[]), CAST(:session_ids AS text[]), CAST(:types AS text[]),
        CAST(:states AS text[]), CAST(:outcomes AS text[]), CAST(:epochs AS bigint[]),
        CAST(:attempts AS int[]))
        AS u(id, session_id, type, state, outcome, epoch, attempts)
    ORDER BY u.id
    ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state, outcome = EXCLUDED.outcome,
        epoch = EXCLUDED.epoch, attempts = EXCLUDED.attempts, worker_id = EXCLUDED.worker_id,
        finished_at = EXCLUDED.finished_at
    WHERE c.state = 'executing' AND c.session_id = EXCLUDED.session_id
    RETURNING c.id
""")
"""A command's first outcome stays: one that has its end already is not returned."""

INSERT_MESSAGES = text("""
    INSERT INTO messages
        (session_id, message_id, chat, direction, sender, content, timestamp, command_id)
    SELECT u.session_id, u.message_id, u.chat, u.direction, u.sender, u.content::jsonb,
        u.timestamp, u.command_id
    FROM unnest(CAST(:session_ids AS text[]), CAST(:message_ids AS text[]),
        CAST(:chats AS text[]), CAST(:directions AS text[]), CAST(:senders AS text[]),
        CAST(:contents AS text[]), CAST(:timestamps AS timestamptz[]),
        CAST(:command_ids AS text[]))
        AS u(session_id, message_id, chat, direction, sender, content, timestamp, command_id)
    ON CONFLICT DO NOTHING
    RETURNING session_id, message_id, chat, direction
""")

INSERT_RECEIPTS = text("""
    INSERT INTO receipts (session_id, message_id, participant, status, timestamp)
    SELECT * FROM unnest(CAST(:session_ids AS text[]), CAST(:message_ids AS text[]),
        CAST(:participants AS text[]), CAST(:statuses AS text[]),
        CAST(:timestamps AS timestamptz[]))
    ON CONFLICT DO NOTHING
    RETURNING session_id, message_id, participant, status
""")

UPDATE_SESSIONS = text("""
    UPDATE sessions AS s SET
        last_sequence = s.last_sequence + u.events,
        state = COALESCE(u.state, s.state),
        desired = COALESCE(u.desired, s.desired),
        account = CASE WHEN u.forget THEN NULL ELSE COALESCE(u.account::jsonb, s.account) END,
        updated_at = now()
    FROM unnest(CAST(:ids AS text[]), CAST(:events AS bigint[]), CAST(:states AS text[]),
        CAST(:desired AS text[]), CAST(:accounts AS text[]), CAST(:forget AS boolean[]))
        AS u(id, events, state, desired, account, forget)
    WHERE s.id = u.id
    RETURNING s.id, s.last_sequence
""")

INSERT_EVENTS = text("""
    INSERT INTO outbox (event_id, session_id, sequence, type, routing_key, body, correlation_id,
        traceparent, worker_id)
    SELECT u.event_id, u.session_id, u.sequence, u.type, u.routing_key, u.body, u.correlation_id,
        u.traceparent, CAST(:worker_id AS text)
    FROM unnest(CAST(:event_ids AS text[]), CAST(:session_ids AS text[]),
        CAST(:sequences AS bigint[]), CAST(:types AS text[]), CAST(:routing_keys AS text[]),
        CAST(:bodies AS bytea[]), CAST(:correlation_ids AS text[]), CAST(:traceparents AS text[]))
        WITH ORDINALITY
        AS u(event_id, session_id, sequence, type, routing_key, body, correlation_id,
            traceparent, place)
    ORDER BY u.place
    RETURNING id
""")

FIND_EVENTS = text("""
    SELECT id, event_id, body FROM outbox
    WHERE id > CAST(:after AS bigint) AND event_id = ANY(CAST(:event_ids AS text[]))
""")

DELETE_ROWS = text("""
    WITH owned AS (SELECT unnest(CAST(:ids AS text[])) AS id),
    gone_sessions AS (DELETE FROM sessions USING owned WHERE sessions.id = owned.id),
    gone_messages AS (DELETE FROM messages USING owned WHERE session_id = owned.id),
    gone_receipts AS (DELETE FROM receipts USING owned WHERE session_id = owned.id),
    gone_commands AS (
        DELETE FROM commands USING owned WHERE session_id = owned.id
            AND commands.id <> ALL(CAST(:kept_commands AS text[]))
    )
    UPDATE outbox SET forget = true FROM owned WHERE outbox.session_id = owned.id
""")
"""Marks the events too: those on their way go out, and are then deleted instead of kept."""

DELETE_PUBLISHED = text("""
    DELETE FROM outbox WHERE session_id = ANY(CAST(:ids AS text[])) AND published_at IS NOT NULL
""")
"""A statement of its own behind DELETE_ROWS, which has waited for the relay's marks on these rows:
only a later statement sees them.
"""
