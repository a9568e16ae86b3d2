"""What chats are set to is written with what says so, and the latest word stays."""

from dataclasses import replace
from datetime import timedelta

from gateway_worker.sessions.changes import Change, TimerRow
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresMessageStore
from tests.integration.storage.db.support import CHAT, NOW, finished, message

OTHER_CHAT = "12025550103@s.whatsapp.net"


def setting(number: int, seconds: int, *, minutes: int = 0, chat: str = CHAT) -> Change:
    """Return the arrival of a message that says what its chat is set to."""
    at = NOW + timedelta(minutes=minutes)
    return replace(message(number), timer=TimerRow(chat=chat, seconds=seconds, set_at=at))


async def timers(database: Database) -> dict[str, int]:
    """Return what the session's chats are set to."""
    found = await PostgresMessageStore(database=database).timers("s")
    return {row.chat: row.seconds for row in found}


async def test_the_latest_word_stays(database: Database, changes: PostgresChangeStore) -> None:
    """Of a batch, of several, in whatever order; nothing is said of other sessions."""
    await changes.commit(
        [
            setting(1, 60, minutes=2),
            setting(2, 90, minutes=1),
            setting(3, 30, chat=OTHER_CHAT),
            replace(message(4, session="t"), timer=TimerRow(chat=CHAT, seconds=7, set_at=NOW)),
        ]
    )
    assert await timers(database) == {CHAT: 60, OTHER_CHAT: 30}

    await changes.commit([setting(5, 90, minutes=1), setting(6, 0, minutes=3, chat=OTHER_CHAT)])
    assert await timers(database) == {CHAT: 60, OTHER_CHAT: 0}


async def test_what_was_there_before_says_nothing_new(
    database: Database, changes: PostgresChangeStore
) -> None:
    """A message that is repeated, and one of a former owner."""
    await changes.commit([message(1)])
    zombie = replace(setting(2, 60), epoch=7)

    await changes.commit([setting(1, 60), zombie])

    assert await timers(database) == {}


async def test_a_deleted_session_leaves_none(
    database: Database, changes: PostgresChangeStore
) -> None:
    """They go with its messages."""
    await changes.commit([setting(1, 60)])

    await changes.commit([replace(finished("c"), delete=True)])

    assert await timers(database) == {}
