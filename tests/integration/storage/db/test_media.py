"""Files that came with messages: stored with them, ended once, deleted when they are old."""

from dataclasses import replace
from typing import Any

import pytest

from gateway_contracts import Media, MediaData, MediaReady, MediaState
from gateway_worker.media.arriving.ports import Aged, Waiting
from gateway_worker.media.arriving.records import MediaRow, MediaUpdate
from gateway_worker.sessions.changes import Change
from gateway_worker.storage.db import Database, PostgresChangeStore
from gateway_worker.storage.db.media import PostgresMediaTable
from tests.integration.storage.db.support import (
    CHAT,
    SOURCE,
    count,
    finished,
    message,
    numbers,
    rows_of,
)
from tests.support.databases import execute

SHA = 64 * "a"


@pytest.fixture
def table(database: Database) -> PostgresMediaTable:
    """The table of files."""
    return PostgresMediaTable(database=database)


def row(media_id: str, *, sha256: str = SHA, **values: Any) -> MediaRow:
    """Return a file that is to be fetched."""
    media = Media(
        state=values.pop("state", MediaState.PENDING), media_id=media_id, sha256=sha256, size=3
    )
    return MediaRow(
        **{
            "media_id": media_id,
            "message_id": "M1",
            "chat": CHAT,
            "media": media,
            "reference": b"\x00sealed",
            "thumbnail": b"small",
            **values,
        }
    )


def came(number: int, file: MediaRow, *, session: str = "s") -> Change:
    """Return the arrival of a message with a file."""
    return replace(message(number, session=session), media=file)


def ended(
    media_id: str, state: MediaState = MediaState.READY, *, session: str = "s", epoch: int = 1
) -> Change:
    """Return the end of a file's fetching."""
    media = Media(state=state, media_id=media_id, sha256=SHA, size=3, key="media/s/a")
    data = MediaData(message_id="M1", chat=CHAT, media=media)
    return Change(
        session_id=session,
        epoch=epoch,
        events=(MediaReady(source=SOURCE, subject=session, data=data),),
        media_update=MediaUpdate(media_id=media_id, media=media),
    )


async def test_a_file_is_stored_with_its_message(
    changes: PostgresChangeStore, table: PostgresMediaTable, database: Database
) -> None:
    """All of it, NUL but for text columns; a message that comes again leaves no second one."""
    file = row("m1", file_name="a\x00b.pdf")
    await changes.commit([came(1, file), came(1, row("m2"))])
    again = await changes.commit([came(1, row("m3"))])

    assert await table.get("s", "m1") == replace(file, file_name="a\ufffdb.pdf")
    assert await table.get("s", "m2") is None
    assert await table.get("t", "m1") is None
    assert await count(database, "media") == 1
    assert not again[0].applied


async def test_an_end_is_told_once(changes: PostgresChangeStore, table: PostgresMediaTable) -> None:
    """In the session's stream; the thumbnail goes, and what is there stays there."""
    await changes.commit([came(1, row("m1"))])

    answers = await changes.commit([ended("m1"), ended("m1")])
    late = await changes.commit([ended("m1", MediaState.FAILED)])

    assert [answer.applied for answer in (*answers, *late)] == [True, False, False]
    assert numbers(rows_of(answers)) == [2]
    found = await table.get("s", "m1")
    assert found is not None
    assert (found.media.state, found.media.key) == (MediaState.READY, "media/s/a")
    assert found.thumbnail is None
    assert found.reference == b"\x00sealed"


async def test_a_failed_one_may_come_after_all(
    changes: PostgresChangeStore, table: PostgresMediaTable
) -> None:
    """Its thumbnail is still there then."""
    await changes.commit([came(1, row("m1"))])
    await changes.commit([ended("m1", MediaState.FAILED)])
    failed = await table.get("s", "m1")

    (answer,) = await changes.commit([ended("m1")])

    assert failed is not None
    assert (failed.media.state, failed.thumbnail) == (MediaState.FAILED, b"small")
    assert answer.applied


async def test_the_end_of_a_file_that_is_gone_is_no_news(changes: PostgresChangeStore) -> None:
    """Its row was deleted because of its age, or never was; and of another's it is fenced."""
    (unknown,) = await changes.commit([ended("m1")])
    await changes.commit([came(1, row("m1"))])
    (fenced,) = await changes.commit([ended("m1", epoch=2)])

    assert (unknown.applied, unknown.fenced, unknown.rows) == (False, False, ())
    assert (fenced.applied, fenced.fenced) == (False, True)


async def test_what_waits(changes: PostgresChangeStore, table: PostgresMediaTable) -> None:
    """The oldest of each session come first, of these sessions, and only what is pending."""
    await changes.commit([came(number, row(f"s{number}")) for number in range(1, 4)])
    await changes.commit([came(1, row("t1"), session="t")])
    await changes.commit([came(4, row("s4", state=MediaState.DEFERRED)), ended("s1")])

    assert await table.waiting(["s", "t"], limit=9) == [
        Waiting(session_id="s", media_id="s2"),
        Waiting(session_id="t", media_id="t1"),
        Waiting(session_id="s", media_id="s3"),
    ]
    assert await table.waiting(["t"], limit=9) == [Waiting(session_id="t", media_id="t1")]
    assert len(await table.waiting(["s", "t"], limit=1)) == 1


async def test_what_is_old(
    changes: PostgresChangeStore, table: PostgresMediaTable, database_url: str
) -> None:
    """Its object goes with it, unless a younger message has brought the same file."""
    shared, alone = 64 * "b", 64 * "c"
    files = [row("m1", sha256=shared), row("m2", sha256=alone), row("m3", sha256=shared)]
    await changes.commit([came(number, file) for number, file in enumerate(files, start=1)])
    await execute(
        database_url,
        "UPDATE media SET stored_at = now() - interval '9 days' WHERE media_id <> 'm3'",
    )

    aged = await table.aged(keep_seconds=8 * 86_400, limit=9)
    await table.forget(aged)

    assert sorted(aged, key=lambda each: each.media_id) == [
        Aged(session_id="s", media_id="m1", keys=()),
        Aged(
            session_id="s",
            media_id="m2",
            keys=(f"media/s/{alone}", f"media/s/{alone}.jpg"),
        ),
    ]
    assert await table.aged(keep_seconds=8 * 86_400, limit=9) == []
    assert await table.get("s", "m1") is None
    assert await table.get("s", "m3") is not None


async def test_a_session_takes_its_files_along(
    changes: PostgresChangeStore, database: Database
) -> None:
    """A deletion leaves no row."""
    await changes.commit([came(1, row("m1")), came(1, row("m2"), session="t")])
    await changes.commit([finished("c", delete=True)])

    assert await count(database, "media") == 1
