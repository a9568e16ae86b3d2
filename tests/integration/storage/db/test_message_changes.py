"""What a message says now: its own text, its writer's last edit, or nothing any more."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy
from pydantic import TypeAdapter

from gateway_contracts import Content, TextContent
from gateway_worker.sessions.changes import Change, Direction
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresMessageStore
from gateway_worker.storage.db.messages import FIND
from tests.integration.storage.db.support import CHAT, message

CONTENTS: TypeAdapter[Content] = TypeAdapter(Content)
ME, EVE = "12025550100@s.whatsapp.net", "12025550109@s.whatsapp.net"
CREW = "120363000000000001@g.us"


def written(
    number: int, content: dict[str, Any], *, sender: str = CHAT, chat: str = CHAT
) -> Change:
    """Return the change that records a message, some seconds after the one with a lower number."""
    plain = message(number)
    assert plain.message is not None
    row = replace(
        plain.message,
        chat=chat,
        sender=sender,
        direction=Direction.OUT if sender == ME else Direction.IN,
        content=CONTENTS.validate_python(content),
        timestamp=plain.message.timestamp + timedelta(seconds=number),
    )
    return replace(plain, message=row)


def about(
    number: int, kind: str, *, by: str, of: str, target: int = 1, chat: str = CHAT, **more: Any
) -> Change:
    """Return the change that records something about a message of somebody."""
    reference = {
        "message_id": f"M{target}",
        "chat": chat,
        "participant": of,
        "from_me": of == ME,
    }
    return written(number, {"kind": kind, "target": reference, **more}, sender=by, chat=chat)


def text(number: int, words: str, **more: Any) -> Change:
    """Return the change that records a text."""
    return written(number, {"kind": "text", "text": words}, **more)


@pytest.mark.parametrize(
    ("changes_of_it", "kind", "words"),
    [
        ([], None, None),
        ([about(2, "reaction", by=ME, of=CHAT, emoji="x")], None, None),
        ([about(2, "edit", by=CHAT, of=CHAT, text="new")], "edit", "new"),
        (
            [
                about(3, "edit", by=CHAT, of=CHAT, text="newer"),
                about(2, "edit", by=CHAT, of=CHAT, text="new"),
            ],
            "edit",
            "newer",
        ),
        (
            [
                about(2, "revoke", by=CHAT, of=CHAT),
                about(3, "edit", by=CHAT, of=CHAT, text="too late"),
            ],
            "revoke",
            None,
        ),
        # Of another message, or of another writer's, or by somebody else.
        ([about(2, "edit", by=CHAT, of=CHAT, text="new", target=9)], None, None),
        ([about(2, "edit", by=ME, of=ME, text="new")], None, None),
        ([about(2, "revoke", by=ME, of=ME)], None, None),
    ],
)
async def test_what_a_message_says_now(
    database: Database,
    changes: PostgresChangeStore,
    changes_of_it: list[Change],
    kind: str | None,
    words: str | None,
) -> None:
    """The last change counts, and nothing after a deletion; the message itself stays as it was."""
    await changes.commit([text(1, "old"), *changes_of_it])

    (found,) = await PostgresMessageStore(database=database).find(
        "s", chats=[CHAT], message_id="M1"
    )

    assert found.content == TextContent(text="old")
    told = None if found.change is None else found.change.model_dump()
    assert (told and told["kind"], told and told.get("text")) == (kind, words)


async def test_a_message_of_the_account(database: Database, changes: PostgresChangeStore) -> None:
    """Its edits are its own, from whichever device; the other's word is not taken for it."""
    await changes.commit(
        [
            text(1, "old", sender=ME),
            about(2, "edit", by=ME, of=ME, text="new"),
            about(3, "edit", by=CHAT, of=ME, text="forged"),
        ]
    )

    (found,) = await PostgresMessageStore(database=database).find(
        "s", chats=[CHAT], message_id="M1"
    )

    assert found.change is not None
    assert found.change.model_dump()["text"] == "new"


async def test_in_a_group_an_id_is_its_writers(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Who has used the same id edits his own message; an admin deletes whosever it is."""
    await changes.commit(
        [
            text(1, "of one", sender=CHAT, chat=CREW),
            text(1, "of the other", sender=EVE, chat=CREW),
            about(2, "edit", by=EVE, of=EVE, text="edited", chat=CREW),
            about(3, "revoke", by=ME, of=CHAT, chat=CREW),
        ]
    )

    found = await PostgresMessageStore(database=database).find("s", chats=[CREW], message_id="M1")

    assert {row.sender: row.change and row.change.kind for row in found} == {
        CHAT: "revoke",
        EVE: "edit",
    }


async def test_what_is_about_a_message_is_found_by_an_index(database: Database) -> None:
    """However many messages a chat has, each is looked up with a step to what is about it."""
    async with database.statement("filling the history") as connection:
        await connection.execute(
            sqlalchemy.text("""
                INSERT INTO messages
                    (session_id, message_id, chat, direction, sender, content, timestamp)
                SELECT 's', 'M' || n, 'c', 'in', 'c', CASE WHEN n % 20 = 0 THEN
                    jsonb_build_object('kind', 'reaction', 'emoji', 'x', 'target',
                        jsonb_build_object('message_id', 'M' || n - 1))
                    ELSE jsonb_build_object('kind', 'text', 'text', 'hello') END, now()
                FROM generate_series(1, 20000) AS n
            """)
        )
    async with database.statement("counting the history") as connection:
        await connection.execute(sqlalchemy.text("ANALYZE messages"))
    async with database.statement("explaining the look-up") as connection:
        plan = await connection.execute(
            sqlalchemy.text(f"EXPLAIN {FIND.text}"),
            {"session_id": "s", "message_id": "M19", "chats": ["c"]},
        )
        steps = "\n".join(row[0] for row in plan.all())

    assert "messages_target_idx" in steps
    assert "messages_pkey" in steps
    assert "Seq Scan" not in steps
