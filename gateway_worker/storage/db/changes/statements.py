"""The statements of the hot path: one each for any number of rows, given as arrays.

Rows are taken in the order of their keys wherever two transactions could meet, so that they queue
instead of blocking each other. A round trip costs more than what is done in it, so what does not
depend on an answer shares a statement.
"""

from gateway_worker.storage.db.changes.other_ids import are_number_and_lid
from gateway_worker.storage.db.leases import TAKES_MORE

LOCK_SESSIONS = """
    SELECT id, epoch, last_sequence, worker_id, NULLIF(metadata, '{}')::text FROM sessions
    WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE
"""
"""$1 session ids. Returns those that exist, with their metadata if there is any."""

LOCK_WORKER = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7449355))"
"""$1 the worker's id. For changes without a session to lock: one commit of a worker at a time."""

TAKE_UP = f"""
    WITH finished AS (
        INSERT INTO commands AS c
            (id, session_id, type, state, outcome, epoch, attempts, worker_id, finished_at)
        SELECT u.id, u.session_id, u.type, u.state, u.outcome::jsonb, u.epoch, u.attempts,
            $1::text, now()
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
            $8::int[]) AS u(id, session_id, type, state, outcome, epoch, attempts)
        ORDER BY u.id
        ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state, outcome = EXCLUDED.outcome,
            epoch = EXCLUDED.epoch, attempts = EXCLUDED.attempts, worker_id = EXCLUDED.worker_id,
            finished_at = EXCLUDED.finished_at
        WHERE c.state IN ('executing', 'received') AND c.session_id = EXCLUDED.session_id
        RETURNING c.id
    ), given AS (
        SELECT * FROM unnest($9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
            $14::text[], $15::timestamptz[], $16::text[], $17::text[], $18::boolean[], $19::text[],
            $20::text[]) WITH ORDINALITY
            AS u(session_id, message_id, chat, direction, sender, content, timestamp, command_id,
                client_ref, uncertain, lid, ends, place)
    ), stored AS (
        INSERT INTO messages
            (session_id, message_id, chat, direction, sender, content, timestamp, command_id,
                client_ref, uncertain)
        SELECT u.session_id, u.message_id, u.chat, u.direction, u.sender, u.content::jsonb,
            u.timestamp, u.command_id, u.client_ref, u.uncertain
        FROM given AS u
        LEFT JOIN LATERAL (
            SELECT true AS known FROM messages AS m
            WHERE m.session_id = u.session_id AND m.message_id = u.message_id
                AND m.direction = u.direction AND m.sender = u.lid
                AND m.chat IN (u.chat, CASE WHEN u.chat = u.sender THEN u.lid END)
            LIMIT 1
        ) AS other ON u.lid IS NOT NULL
        WHERE other.known IS NULL AND (u.ends IS NULL OR u.ends IN (SELECT id FROM finished))
        ON CONFLICT DO NOTHING
        RETURNING session_id, message_id, chat, direction, sender
    ), shown AS (
        SELECT u.place, m.command_id, m.client_ref, m.uncertain, m.is_other
        FROM given AS u CROSS JOIN LATERAL (
            SELECT m.command_id, m.client_ref, m.uncertain, m.chat <> u.chat AS is_other
            FROM messages AS m
            WHERE m.session_id = u.session_id AND m.message_id = u.message_id
                AND m.direction = 'out' AND m.command_id IS NOT NULL
                AND (m.chat = u.chat OR {are_number_and_lid("m.chat", "u.chat")})
            ORDER BY is_other, m.command_id LIMIT 1
        ) AS m
        WHERE u.direction = 'out' AND u.command_id IS NULL
    ), asked AS (
        SELECT u.*, COALESCE(u.sent_by, m.command_id) AS command_id,
            COALESCE(u.sent_as, m.client_ref) AS client_ref,
            u.waits AND m.known IS NULL AND EXISTS (
                SELECT 1 FROM commands AS c
                WHERE c.session_id = u.session_id AND c.state = 'executing'
                    AND c.type IN ('wa.message.send.v1', 'wa.status.post.v1', 'wa.status.delete.v1')
                    AND c.id NOT IN (SELECT id FROM finished)
            ) AS early,
            coalesce(m.uncertain, false) AS uncertain,
            u.sent_by IS NULL AND coalesce(m.is_other, false) AS is_other
        FROM unnest($21::text[], $22::text[], $23::text[], $24::text[], $25::text[],
            $26::timestamptz[], $27::text[], $28::boolean[], $29::text[], $30::text[])
            WITH ORDINALITY AS u(session_id, message_id, chat, participant, status, timestamp, lid,
                waits, sent_by, sent_as, place)
        LEFT JOIN LATERAL (
            SELECT m.command_id, m.client_ref, m.uncertain, true AS known,
                m.chat NOT IN (u.chat, coalesce(u.lid, u.chat)) AS is_other
            FROM messages AS m
            WHERE m.session_id = u.session_id AND m.message_id = u.message_id
                AND m.direction = 'out' AND (
                    m.chat IN (u.chat, CASE WHEN u.chat = u.participant THEN u.lid END)
                    OR u.chat = u.participant AND coalesce(u.lid, u.chat) = u.chat
                        AND {are_number_and_lid("u.chat", "m.chat")}
                )
            ORDER BY is_other, m.command_id LIMIT 1
        ) AS m ON true
    ), noted AS (
        INSERT INTO receipts (session_id, message_id, chat, participant, status, timestamp)
        SELECT session_id, message_id, chat, participant, status, timestamp FROM asked
        WHERE NOT early
        ON CONFLICT DO NOTHING
        RETURNING session_id, message_id, chat, participant, status
    )
    SELECT id, NULL, NULL, NULL, NULL FROM finished
    UNION ALL SELECT session_id, message_id, chat, direction, sender FROM stored
    UNION ALL SELECT session_id, message_id, chat, participant, status FROM noted
    UNION ALL SELECT NULL,
        CASE WHEN is_other THEN 'other receipt ' ELSE 'receipt ' END || place, command_id,
        CASE WHEN early THEN 'early' WHEN uncertain THEN 'uncertain' END, client_ref
    FROM asked WHERE early OR command_id IS NOT NULL
    UNION ALL SELECT NULL,
        CASE WHEN is_other THEN 'other message ' ELSE 'message ' END || place, command_id,
        CASE WHEN uncertain THEN 'uncertain' END, client_ref FROM shown
"""  # noqa: S608 - constant terms
"""$1 the worker's id; $2-8 outcomes; $9-20 messages; $21-30 receipts. `ends` is the command whose
end the row belongs to, if any: without it, no row. `lid` is a person's other id, under which a row
of before may be. `sent_by` is the command that sent a receipt's message in this batch, `sent_as`
its client_ref.

Returns the keys of what is new, a command's with its id alone. A command's first outcome stays: one
that has its end already is not returned. Then, behind a NULL, of each receipt whose message a
command has sent, and of each message that one has sent and that another device shows, its place
(from 1), that command, whether it is held back (`early`) or was not known to have been sent
(`uncertain`), and the client_ref. It is an `other` receipt or message if it names a LID and what
was sent went to a number, or the other way round: that is to be doubted (see `other_ids`).
"""

KEEP_MEDIA = """
    INSERT INTO media (session_id, media_id, message_id, chat, state, media, file_name, sha256,
        reference, thumbnail)
    SELECT u.session_id, u.media_id, u.message_id, u.chat, u.state, u.media::jsonb, u.file_name,
        u.sha256, u.reference, u.thumbnail
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::bytea[], $10::bytea[])
        AS u(session_id, media_id, message_id, chat, state, media, file_name, sha256, reference,
            thumbnail)
    ON CONFLICT DO NOTHING
"""
"""$1-10 files of sessions that are locked."""

END_MEDIA = """
    UPDATE media AS m SET state = u.state, media = u.media::jsonb,
        thumbnail = CASE WHEN u.state <> 'ready' THEN m.thumbnail END
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
        AS u(session_id, media_id, state, media)
    WHERE m.session_id = u.session_id AND m.media_id = u.media_id AND m.state <> 'ready'
    RETURNING m.session_id, m.media_id
"""
"""$1-4 what became of files of sessions that are locked. Returns those that were not there yet."""

FIND_CHATS = """
    SELECT c.session_id, c.chat, c.chat_id, c.since
    FROM unnest($1::text[], $2::text[]) AS u(session_id, chat)
    JOIN chats AS c ON c.session_id = u.session_id AND c.chat = u.chat
"""
"""$1-2 sessions and ids of people."""

ADD_CHATS = """
    INSERT INTO chats (session_id, chat, chat_id, since)
    SELECT u.session_id, u.chat, u.chat_id, u.since
    FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        AS u(session_id, chat, chat_id, since)
    ON CONFLICT DO NOTHING
"""
"""$1-4 sessions, ids of people, what their conversations are called, and since when."""

MERGE_CHATS = """
    UPDATE chats SET chat_id = $3::text WHERE session_id = $1::text AND chat_id = $2::text
"""
"""$1 a session; $2 a name of a conversation; $3 what it is called from now on."""

FORGET_CHATS = (
    "DELETE FROM chats WHERE session_id = $1::text AND chat = ANY($2::text[])",
    "DELETE FROM chat_timers WHERE session_id = $1::text AND chat = ANY($2::text[])",
    "DELETE FROM chat_reads WHERE session_id = $1::text AND chat = ANY($2::text[])",
)
"""$1 a session that is locked; $2 ids of a person."""

SHOW_SENT = """
    UPDATE messages SET uncertain = false
    WHERE session_id = $1::text AND command_id = $2::text AND uncertain
    RETURNING message_id, chat, timestamp
"""
"""$1 a session; $2 a command whose uncertain message was sent after all."""

RESOLVE = """
    UPDATE commands SET state = 'succeeded', outcome = $3::text::jsonb
    WHERE session_id = $1::text AND id = $2::text AND state = 'uncertain'
    RETURNING type, client_ref
"""
"""$1 a session; $2 a command; $3 its outcome. Returns nothing if it has another end by now."""

WRITE_EVENTS = """
    WITH updated AS (
        UPDATE sessions AS s SET
            last_sequence = u.last_sequence,
            state = COALESCE(u.state, s.state),
            desired = COALESCE(u.desired, s.desired),
            account = CASE WHEN u.forget THEN NULL ELSE COALESCE(u.account::jsonb, s.account) END,
            reachout = COALESCE(u.reachout::jsonb, s.reachout),
            updated_at = now()
        FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[],
            $7::text[])
            AS u(id, last_sequence, state, desired, account, forget, reachout)
        WHERE s.id = u.id
    )
    INSERT INTO outbox (event_id, session_id, sequence, type, routing_key, body, correlation_id,
        traceparent, worker_id)
    SELECT u.event_id, u.session_id, u.sequence, u.type, u.routing_key, u.body, u.correlation_id,
        u.traceparent, $8::text
    FROM unnest($9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[], $14::bytea[],
        $15::text[], $16::text[]) WITH ORDINALITY
        AS u(event_id, session_id, sequence, type, routing_key, body, correlation_id, traceparent,
            place)
    ORDER BY u.place
    RETURNING id
"""
"""$1-7 new values of sessions that are locked; $8 the worker's id; $9-16 events in order.

Returns the events' places in the outbox.
"""

FIND_EVENTS = """
    SELECT id, event_id, body, sequence, worker_id, correlation_id FROM outbox
    WHERE id > $1::bigint AND event_id = ANY($2::text[])
"""

TRANSFER = f"""
    WITH target AS (
        SELECT w.id FROM workers AS w
        WHERE w.id = $2::text AND {TAKES_MORE}
            AND (SELECT count(*) FROM sessions WHERE worker_id = $2::text) < w.capacity
    )
    UPDATE sessions AS s SET worker_id = target.id, epoch = s.epoch + 1, updated_at = now(),
        pending = s.pending || jsonb_build_array(
            jsonb_build_object('epoch', s.epoch + 1, 'queue_of', $3::text, 'given', true))
    FROM target WHERE s.id = $1::text AND target.id <> $3::text
    RETURNING s.id
"""  # noqa: S608 - constant terms
"""$1 a session that is locked; $2 who gets it, whose room is locked (`LOCK_ROOM`); $3 the worker's
id. Returns nothing if that worker cannot have it."""

HAND_OVER_EVENTS = """
    UPDATE outbox SET worker_id = $2::text WHERE id IN (
        SELECT id FROM outbox WHERE session_id = $1::text AND published_at IS NULL
        ORDER BY id FOR UPDATE
    )
"""
"""$1 a session; $2 who publishes what is unpublished of it, from now on."""

DELETE_ROWS = """
    WITH owned AS (SELECT unnest($1::text[]) AS id),
    gone_sessions AS (
        DELETE FROM sessions USING owned WHERE sessions.id = owned.id
        RETURNING sessions.id, sessions.epoch, sessions.last_sequence
    ),
    left_behind AS (
        INSERT INTO former_sessions (id, epoch, last_sequence) SELECT * FROM gone_sessions
        ON CONFLICT (id) DO UPDATE SET epoch = EXCLUDED.epoch,
            last_sequence = EXCLUDED.last_sequence, deleted_at = now()
    ),
    gone_copies AS (DELETE FROM snapshots USING owned WHERE session_id = owned.id),
    gone_media AS (DELETE FROM media USING owned WHERE session_id = owned.id),
    gone_timers AS (DELETE FROM chat_timers USING owned WHERE session_id = owned.id),
    gone_deferred AS (DELETE FROM deferred USING owned WHERE session_id = owned.id),
    gone_bulks AS (DELETE FROM bulks USING owned WHERE session_id = owned.id),
    gone_reviews AS (DELETE FROM session_reviews USING owned WHERE session_id = owned.id),
    gone_counts AS (DELETE FROM daily_counts USING owned WHERE session_id = owned.id),
    gone_told AS (DELETE FROM told_events USING owned WHERE session_id = owned.id),
    gone_reads AS (DELETE FROM chat_reads USING owned WHERE session_id = owned.id),
    gone_erased AS (DELETE FROM erased_people USING owned WHERE session_id = owned.id),
    gone_messages AS (DELETE FROM messages USING owned WHERE session_id = owned.id),
    gone_chats AS (DELETE FROM chats USING owned WHERE session_id = owned.id),
    gone_receipts AS (DELETE FROM receipts USING owned WHERE session_id = owned.id),
    gone_commands AS (
        DELETE FROM commands USING owned WHERE session_id = owned.id
            AND commands.id <> ALL($2::text[])
    )
    UPDATE outbox SET forget = true FROM owned WHERE outbox.session_id = owned.id
"""
"""$1 session ids; $2 the commands that delete them, which stay.

Marks the events too: those on their way go out, and are then deleted instead of kept. All that
stays is how far the session had counted: the next one of its name goes on from there.
"""

DELETE_PUBLISHED = """
    DELETE FROM outbox WHERE session_id = ANY($1::text[]) AND published_at IS NOT NULL
"""
"""$1 session ids. A statement of its own behind DELETE_ROWS, which has waited for the relay's marks
on these rows: only a later statement sees them.
"""
