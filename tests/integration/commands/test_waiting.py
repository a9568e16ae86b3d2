"""What cannot run yet holds up only what its order needs, and no longer than its deadline."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    SessionCreate,
    SessionDelete,
    SessionGetQr,
    SessionLogout,
    SessionRestart,
    SessionState,
    SessionStop,
)
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.limits import SessionLimits
from gateway_worker.storage.db import Database, PostgresSessionStore
from tests.integration.commands.conftest import CONNECTING
from tests.integration.commands.support import Station, code_of, working
from tests.integration.commands.test_moves import Moves, moves
from tests.integration.commands.test_order import outcomes
from tests.integration.commands.test_outcomes import get_status, nothing_is_left, send
from tests.integration.storage.db.support import OTHER, WORKER, session_row
from tests.support.eventually import eventually

PATIENT = SessionLimits(connect_wait_seconds=600, qr_wait_seconds=600, restart_maximum_seconds=0.5)
SOON = timedelta(seconds=1)

__all__ = ["moves"]


@pytest.fixture
async def patient(
    distant: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> AsyncIterator[Station]:
    """A worker at which a send waits for a connection for longer than any test takes."""
    async with working(distant, settings, tmp_path, limits=PATIENT) as station:
        yield station


async def waits(backend: Backend, station: Station) -> str:
    """Have a send wait for the connection of its session, which never comes; returns its id."""
    command = send(CONNECTING)
    await backend.publish(command)
    await eventually(lambda: station.dispatcher.stuck == 1, reason="the send waits")
    return command.id


async def test_look_ups_pass_a_send_that_waits(patient: Station, backend: Backend) -> None:
    """They are answered, and the send goes on waiting."""
    waiting = await waits(backend, patient)
    status = await backend.request(get_status(CONNECTING))
    qr = await backend.request(SessionGetQr(source=backend.source, subject=CONNECTING))

    assert isinstance(status, CommandSucceeded)
    assert isinstance(qr, CommandFailed)
    assert waiting not in outcomes(backend, CONNECTING)


async def test_a_stop_passes_a_send_that_waits_and_ends_it(
    patient: Station, backend: Backend
) -> None:
    """Both have their outcome, and so has what was queued behind the send."""
    waiting, behind = await waits(backend, patient), send(CONNECTING)
    await backend.publish(behind)
    stop = SessionStop(source=backend.source, subject=CONNECTING)

    assert isinstance(await backend.request(stop), CommandSucceeded)
    assert await code_of(backend, waiting) is ErrorCode.SESSION_NOT_CONNECTED
    assert await code_of(backend, behind.id) is ErrorCode.SESSION_NOT_CONNECTED
    assert outcomes(backend, CONNECTING) == [stop.id, waiting, behind.id]
    await nothing_is_left(patient)


async def test_a_deletion_passes_a_send_that_waits_and_ends_it(
    patient: Station, backend: Backend
) -> None:
    """Its session is gone; so it says."""
    waiting = await waits(backend, patient)
    delete = SessionDelete(source=backend.source, subject=CONNECTING)

    assert isinstance(await backend.request(delete), CommandSucceeded)
    assert await code_of(backend, waiting) is ErrorCode.SESSION_NOT_FOUND
    await nothing_is_left(patient)


async def test_a_restart_and_a_stop_pass_a_logout_that_waits(
    patient: Station, backend: Backend
) -> None:
    """The logout needs a connection; what ends the session does not wait for that."""
    await waits(backend, patient)
    logout = SessionLogout(source=backend.source, subject=CONNECTING)
    await backend.publish(logout)
    await eventually(lambda: patient.dispatcher.stuck == 2, reason="the logout waits, too")
    for command in (
        SessionRestart(source=backend.source, subject=CONNECTING),
        SessionStop(source=backend.source, subject=CONNECTING),
    ):
        assert isinstance(await backend.request(command), CommandSucceeded)
    assert await code_of(backend, logout.id) is ErrorCode.SESSION_NOT_CONNECTED


async def test_a_send_after_a_restart_waits_for_it(patient: Station, backend: Backend) -> None:
    """A send overtakes nothing: the session it finds is the one that was started for it."""
    commands = [
        SessionStop(source=backend.source, subject=CONNECTING),
        SessionRestart(source=backend.source, subject=CONNECTING),
        send(CONNECTING),
    ]
    for command in commands:
        await backend.publish(command)
    await backend.outcome(commands[1].id)
    await eventually(lambda: patient.dispatcher.stuck == 1, reason="the send waits")
    assert outcomes(backend, CONNECTING) == [command.id for command in commands[:2]]


@pytest.mark.parametrize("state", [SessionState.PAIRING, SessionState.LOGGED_OUT])
async def test_a_send_to_a_session_that_is_not_linked_fails_at_once(
    database: Database,
    settings: BrokerSettings,
    backend: Backend,
    tmp_path: Path,
    state: SessionState,
) -> None:
    """Whether it shows QR codes just now or not: a person has to come first."""
    is_running = state is SessionState.PAIRING
    desired = DesiredState.RUNNING if is_running else DesiredState.STOPPED
    await PostgresSessionStore(database=database).create(session_row("new", desired=desired))
    async with working(database, settings, tmp_path, limits=PATIENT) as station:
        outcome = await backend.request(send("new"))
        await nothing_is_left(station)

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    assert outcome.data.error.retryable


async def test_deadlines_are_kept_wherever_a_command_waits(
    patient: Station, backend: Backend
) -> None:
    """The head of the queue has none, and waits; behind it and beside it they pass."""
    head = await waits(backend, patient)
    late = datetime.now(UTC) + SOON
    queued = send(CONNECTING).model_copy(update={"expirytime": late})
    logout = SessionLogout(source=backend.source, subject=CONNECTING, expirytime=late)
    for command in (queued, logout):
        await backend.publish(command)

    assert await code_of(backend, queued.id) is ErrorCode.EXPIRED
    assert await code_of(backend, logout.id) is ErrorCode.EXPIRED
    assert head not in outcomes(backend, CONNECTING)
    assert patient.dispatcher.waiting == 0


async def test_a_deadline_is_kept_by_the_head_of_the_queue(
    patient: Station, backend: Backend, database: Database
) -> None:
    """It waits for a connection, and so does a look-up for a QR code that does not come."""
    await PostgresSessionStore(database=database).create(session_row("new"))
    late = datetime.now(UTC) + SOON
    first = send(CONNECTING).model_copy(update={"expirytime": late})
    qr = SessionGetQr(source=backend.source, subject="new", expirytime=late)
    for command in (first, qr):
        await backend.publish(command)

    assert await code_of(backend, first.id) is ErrorCode.EXPIRED
    assert await code_of(backend, qr.id) in (ErrorCode.EXPIRED, ErrorCode.SESSION_NOT_CONNECTED)


async def test_many_that_wait_leave_room_for_the_other_sessions(
    distant: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """More than the broker hands out at once wait for one session."""
    narrow = settings.model_copy(update={"prefetch": 64})
    async with working(distant, narrow, tmp_path, limits=PATIENT) as station:
        for _ in range(150):
            await backend.publish(send(CONNECTING))
        await eventually(lambda: station.dispatcher.stuck == 150, reason="all wait here")
        assert isinstance(await backend.request(get_status("a")), CommandSucceeded)
        assert outcomes(backend, CONNECTING) == []


async def test_a_worker_that_leaves_gives_back_a_send_that_waits(
    database: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """At once, and its successor has it as one that never began."""
    async with working(database, settings, tmp_path / "1", limits=PATIENT) as first:
        waiting = await waits(backend, first)
        await first.stop()
    assert outcomes(backend, CONNECTING) == []
    async with working(database, settings, tmp_path / "2", limits=PATIENT) as second:
        await eventually(lambda: second.dispatcher.stuck == 1, reason="the send waits there")
        stop = SessionStop(source=backend.source, subject=CONNECTING)
        await backend.request(stop)
        assert await code_of(backend, waiting) is ErrorCode.SESSION_NOT_CONNECTED


async def test_what_is_held_is_bounded_and_look_ups_are_not_held(moves: Moves) -> None:
    """A former owner's queue that nobody reads: its session's look-ups and deadlines go on."""
    await moves.own(WORKER, (2, OTHER))
    late = datetime.now(UTC) + SOON
    held, due = send("a"), send("a").model_copy(update={"expirytime": late})
    async with moves.working() as station:
        for command in (held, due):
            await moves.backend.publish(command)
        assert isinstance(await moves.backend.request(get_status("a")), CommandSucceeded)
        assert await code_of(moves.backend, due.id) is ErrorCode.EXPIRED
        assert held.id not in outcomes(moves.backend, "a")
        assert station.dispatcher.held == 1


async def test_what_is_held_for_too_long_fails_and_is_not_executed(moves: Moves) -> None:
    """The queue that goes first cannot be read: order is kept, and the sender is told."""
    await moves.own(WORKER, (2, OTHER))
    held = send("a")
    async with moves.working(hold_seconds=0.2) as station:
        await moves.backend.publish(held)
        outcome = await moves.backend.outcome(held.id)
        assert isinstance(outcome, CommandFailed)
        assert outcome.data.error.code is ErrorCode.NOT_ATTEMPTED
        assert outcome.data.error.retryable
        await nothing_is_left(station)


async def test_a_creation_waits_for_room_with_a_bound(
    database: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """Nobody has any: its deadline is kept, and without one it fails after a while."""
    late = datetime.now(UTC) + SOON
    async with working(database, settings, tmp_path, capacity=0, room_seconds=2) as station:
        station.dispatcher.note_full(is_full=True)
        due = SessionCreate(source=backend.source, subject="due", expirytime=late)
        other = SessionCreate(source=backend.source, subject="other")
        for command in (due, other):
            await backend.publish(command)
        assert await code_of(backend, due.id) is ErrorCode.EXPIRED
        assert await code_of(backend, other.id) is ErrorCode.CAPACITY
        await nothing_is_left(station)
        assert station.dispatcher.without_room == 0


async def test_a_command_runs_no_longer_than_it_may(patient: Station, backend: Backend) -> None:
    """Its wait for the connection counts."""
    hasty = send(CONNECTING).model_copy(update={"maxruntimems": 1_000})
    outcome = await backend.request(hasty)

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.EXPIRED
    assert "time to run" in (outcome.data.error.detail or "")
    await nothing_is_left(patient)
