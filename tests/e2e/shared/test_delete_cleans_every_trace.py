"""`session.delete` leaves nothing behind: database, Redis, S3, disk, broker, phone."""

from pathlib import Path

from gateway_contracts import (
    CommandSucceeded,
    MediaReady,
    MessageReceived,
    SessionDelete,
    SessionGetStatus,
)
from gateway_worker.sandbox.phones.media.draft import MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from tests.e2e.harness import ErrorCode, Gateway
from tests.support.eventually import eventually
from tests.support.traces import database_rows, objects, redis_keys

TABLES_THAT_FORGET = ("sessions", "messages", "chats", "receipts", "snapshots", "media")


async def test_delete_cleans_every_trace(gateway: Gateway, name: str) -> None:
    """Everything is there before, and nothing afterwards; of a tenant's session, as of any."""
    name = f"acme.{name}"
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    await gateway.send(name, ada.number, "Hello")
    await ada.send_text(shop.number, "Hi")
    await gateway.backend.expect(MessageReceived, name)
    draft = MediaDraft(kind=MediaKind.IMAGE, data=b"picture", thumbnail=b"small")
    await ada.send_media(shop.number, draft)
    picture = (await gateway.backend.expect(MediaReady, name)).data.media.key
    env = gateway.environment
    directory = gateway.worker.data_dir / "sessions" / name

    assert picture is not None

    async def kept() -> bool:
        kinds = {picture in key for key in await objects(env, name)}
        return kinds == {True, False}

    assert await eventually(kept, reason="a snapshot and the picture are stored")
    before = await database_rows(env["DATABASE_URL"], name)
    assert all(before[table] > 0 for table in TABLES_THAT_FORGET), before
    assert await redis_keys(env, name)
    assert _files(directory)

    await gateway.succeed(SessionDelete(source=gateway.backend.source, subject=name))

    after = await database_rows(env["DATABASE_URL"], name)
    assert {table: after[table] for table in TABLES_THAT_FORGET} == dict.fromkeys(
        TABLES_THAT_FORGET, 0
    )
    assert after["commands"] == 1  # the deletion's own outcome, for a repeat of it
    assert await redis_keys(env, name) == []
    assert await objects(env, name) == []
    assert not directory.exists()
    assert shop.companions == ()
    failed = await gateway.fail(SessionGetStatus(source=gateway.backend.source, subject=name))
    assert failed.data.error.code is ErrorCode.SESSION_NOT_FOUND


async def test_a_repeated_delete_gets_its_outcome_again(gateway: Gateway, name: str) -> None:
    """The session is gone, the answer is not."""
    await gateway.create(name)
    command = SessionDelete(source=gateway.backend.source, subject=name)
    first = await gateway.succeed(command)

    await gateway.backend.publish(command)
    again = await gateway.backend.expect(
        CommandSucceeded,
        name,
        lambda event: event.correlationid == command.id and event.data.repeated,
    )

    assert again.data.result == first


async def test_a_deleted_session_can_be_created_again(gateway: Gateway, name: str) -> None:
    """The same id, a new session: whoever keeps the highest sequence misses none of its events."""
    await gateway.create(name)
    await gateway.succeed(SessionDelete(source=gateway.backend.source, subject=name))
    before = [int(event.sequence or 0) for event in gateway.backend.events_of(name)]

    await gateway.create(name)

    events = gateway.backend.events_of(name)
    after = [int(event.sequence or 0) for event in events[len(before) :]]
    assert after
    assert before + after == list(range(1, len(events) + 1))


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
