"""A session whose worker is gone and that nobody can run: each of its commands has its outcome."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway_contracts import (
    Account,
    BulkCancel,
    BulkId,
    CommandEnvelope,
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    Purged,
    QueuePurge,
    SessionCreate,
    SessionDelete,
    SessionGetQr,
    SessionInfo,
    SessionLogout,
    SessionMigrate,
    SessionReplay,
    SessionReplayData,
    SessionRestart,
    SessionState,
    SessionStatus,
    SessionStop,
    StatusReason,
    encode,
)
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresSessionStore,
    PostgresWorkerStore,
)
from tests.integration.commands.support import Station, working
from tests.integration.commands.test_outcomes import get_status, nothing_is_left, send
from tests.integration.commands.test_scheduled import at
from tests.integration.storage.db.support import OTHER, count, session_row
from tests.integration.storage.db.test_deferred import put_off

LOST = "lost"
ACCOUNT = Account(jid="15550100001:1@s.whatsapp.net", phone_number="15550100001")


@pytest.fixture
async def lost(database: Database, other_queue: str) -> None:
    """A connected session of a worker that does not exist any more; its queue does."""
    assert other_queue
    row = session_row(LOST, state=SessionState.CONNECTED, account=ACCOUNT, worker_id=OTHER)
    await PostgresSessionStore(database=database).create(row)


@pytest.fixture
async def attending(station: Station, lost: None) -> Station:
    """The worker, with the queue of the dead one."""
    station.consumer.attend(OTHER)
    return station


async def failure(backend: Backend, command: CommandEnvelope) -> ErrorCode:
    """Return how a command failed."""
    outcome = await backend.request(command)
    assert isinstance(outcome, CommandFailed), outcome
    return ErrorCode(outcome.data.error.code)


async def test_each_command_has_its_outcome(attending: Station, backend: Backend) -> None:
    """What needs nobody who runs it is done; the rest says why not, and whether to come again."""
    source = backend.source
    status = await backend.request(get_status(LOST))
    assert isinstance(status, CommandSucceeded)
    info = status.data.result
    assert isinstance(info, SessionInfo)
    assert (info.state, info.reason) == (SessionState.RECONNECTING, StatusReason.WORKER_LOST)
    assert (info.worker, info.account) == (OTHER, ACCOUNT)

    replay = SessionReplayData(queue="wa.backend.test.replay", from_sequence=1)
    expected: list[tuple[CommandEnvelope, ErrorCode]] = [
        (send(LOST), ErrorCode.SESSION_NOT_CONNECTED),
        (SessionLogout(source=source, subject=LOST), ErrorCode.SESSION_NOT_CONNECTED),
        (SessionMigrate(source=source, subject=LOST), ErrorCode.CAPACITY),
        (SessionRestart(source=source, subject=LOST), ErrorCode.CAPACITY),
        (SessionReplay(source=source, subject=LOST, data=replay), ErrorCode.CAPACITY),
        (BulkCancel(source=source, subject=LOST, data=BulkId(bulk_id="b")), ErrorCode.CAPACITY),
        (SessionCreate(source=source, subject=LOST), ErrorCode.SESSION_EXISTS),
        (SessionGetQr(source=source, subject=LOST), ErrorCode.SESSION_LINKED),
    ]
    assert [await failure(backend, command) for command, _ in expected] == [
        code for _, code in expected
    ]
    numbers = [event.sequence for event in backend.events_of(LOST)]
    assert numbers == [f"{number:020d}" for number in range(1, len(numbers) + 1)]
    await nothing_is_left(attending)


async def test_a_stop_is_kept_for_its_worker(
    attending: Station, backend: Backend, database: Database
) -> None:
    """The session has its owner still, which finds that it is not to run."""
    stopped = await backend.request(SessionStop(source=backend.source, subject=LOST))
    assert isinstance(stopped, CommandSucceeded)
    status = await backend.expect(SessionStatus, LOST)
    assert (status.data.state, status.data.reason) == (SessionState.STOPPED, "requested")
    row = await PostgresSessionStore(database=database).get(LOST)
    assert row is not None
    assert (row.worker_id, row.epoch, row.desired) == (OTHER, 1, "stopped")


async def test_a_deletion_works(attending: Station, backend: Backend, database: Database) -> None:
    """What waits ends as cancelled. And the name can be used again, here."""
    waiting = at(timedelta(days=1), LOST)
    scheduled = [
        put_off(waiting.id, session=LOST, body=encode(waiting)),
        put_off("unreadable", session=LOST),
    ]
    await PostgresChangeStore(database=database, worker_id=OTHER).commit(scheduled)

    deleted = await backend.request(SessionDelete(source=backend.source, subject=LOST))
    assert isinstance(deleted, CommandSucceeded)
    end = await backend.outcome(waiting.id)
    assert isinstance(end, CommandFailed)
    assert end.data.error.code is ErrorCode.CANCELLED
    assert await count(database, "deferred") == 0
    assert await PostgresSessionStore(database=database).get(LOST) is None
    assert await failure(backend, get_status(LOST)) is ErrorCode.SESSION_NOT_FOUND
    created = await backend.request(SessionCreate(source=backend.source, subject=LOST))
    assert isinstance(created, CommandSucceeded)
    assert await count(database, "sessions WHERE id = 'lost' AND worker_id = 'w'") == 1


async def test_what_waits_for_its_time_is_not_told_as_called_off(
    attending: Station, backend: Backend, database: Database
) -> None:
    """Its worker would send it when it comes back; without such a thing there is nothing to do."""
    nothing = await backend.request(QueuePurge(source=backend.source, subject=LOST))
    assert isinstance(nothing, CommandSucceeded)
    assert nothing.data.result == Purged(commands=0, deferred=0)

    waiting = at(timedelta(days=1), LOST)
    scheduled = put_off(waiting.id, session=LOST, body=encode(waiting))
    await PostgresChangeStore(database=database, worker_id=OTHER).commit([scheduled])
    purge = QueuePurge(source=backend.source, subject=LOST)
    assert await failure(backend, purge) is ErrorCode.CAPACITY
    assert await count(database, "deferred") == 1
    await nothing_is_left(attending)


async def test_a_repeat_gets_the_outcome_that_is_stored(
    attending: Station, backend: Backend
) -> None:
    """Here as everywhere."""
    command = send(LOST)
    await failure(backend, command)
    seen = len(backend.arrivals)
    await backend.publish(command)
    again = await backend.expect(CommandFailed, LOST, after=seen)
    assert again.data.repeated


async def test_before_somebody_might_have_taken_it_over_only_deadlines_count(
    database: Database,
    settings: BrokerSettings,
    backend: Backend,
    tmp_path: Path,
    lost: None,
) -> None:
    """Its lease has ended just now; another worker with room may be about to have it."""
    await PostgresWorkerStore(database=database, worker_id=OTHER, lease_seconds=0).register(
        version="1", capacity=1
    )
    async with working(
        database, settings, tmp_path, limits=SessionLimits(stranded_seconds=600)
    ) as station:
        station.consumer.attend(OTHER)
        late = datetime.now(UTC) + timedelta(seconds=1)
        waiting, due = send(LOST), get_status(LOST, expirytime=late)
        for command in (waiting, due):
            await backend.publish(command)
        outcome = await backend.outcome(due.id)
        assert isinstance(outcome, CommandFailed)
        assert outcome.data.error.code is ErrorCode.EXPIRED
        assert [event.correlationid for event in backend.events_of(LOST)] == [due.id]


async def test_it_is_announced_and_its_state_is_true(
    attending: Station, backend: Backend, database: Database
) -> None:
    """Its events go on counting, those first that its worker had not published."""
    store = PostgresSessionStore(database=database)
    row = await store.get(LOST)
    assert row is not None
    assert row in await store.stranded(after_seconds=0, limit=10)
    await attending.manager.stranded.announce(row)
    status = await backend.expect(SessionStatus, LOST)

    assert (status.data.state, status.data.reason) == ("reconnecting", "worker_lost")
    assert (status.data.worker, status.data.previous) == (OTHER, "connected")
    after = await store.get(LOST)
    assert after is not None
    assert (after.state, after.worker_id, after.epoch) == (SessionState.RECONNECTING, OTHER, 1)
