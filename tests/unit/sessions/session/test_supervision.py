"""Hosts that end: what is counted as a crash, and that another one follows."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_contracts import Proxy, SessionSettings, SessionState, SessionStatus, StatusReason
from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME, EPOCH_NAME
from gateway_worker.host_protocol.signals import Down, Ended, Exited
from tests.support.eventually import eventually
from tests.unit.sessions.harness import LIMITS, SessionHarness

LIMITS_WITH_LONG_PAUSES = replace(
    LIMITS, restart_initial_seconds=7_200_000.0, restart_maximum_seconds=7_200_000.0
)
MINUTE = timedelta(minutes=1)


async def test_a_host_that_could_not_reach_whatsapp_has_not_crashed(
    harness: SessionHarness,
) -> None:
    """It may be gone before it was told to stop; its session is reconnecting until it is back."""
    host = harness.launcher.hosts[0]
    host.runs = False
    for event in (
        Down(detail="lost"),
        Ended(reason="unreachable", detail="away"),
        Exited(expected=False, detail="it left"),
    ):
        await host._listener(event)
    await eventually(lambda: len(harness.launcher.hosts) == 2, reason="another host is started")
    await harness.connected()

    assert harness.observer.exits == [True]
    assert harness.observer.restarts == 0
    assert harness.states() == [
        SessionState.RECONNECTING,
        SessionState.RECONNECTING,
        SessionState.CONNECTED,
    ]
    events = [event for change in harness.database.changes for event in change.events]
    statuses = [event for event in events if isinstance(event, SessionStatus)]
    assert statuses == events
    assert [event.data.reason for event in statuses] == [
        StatusReason.CONNECTION_LOST,
        StatusReason.PROXY_UNREACHABLE,
        StatusReason.LOGIN_SUCCEEDED,
    ]


async def test_a_library_that_has_stopped_gets_its_next_host_at_once(tmp_path: Path) -> None:
    """Each moment costs messages; but what stops it at every login is not tried for ever."""
    harness = SessionHarness(tmp_path, LIMITS_WITH_LONG_PAUSES)
    await harness.begin()
    for number in range(1, 7):
        host = harness.launcher.hosts[-1]
        host.runs = False
        await host._listener(Ended(reason="library_stopped", detail="Receipt.Type"))
        await host._listener(Exited(expected=False, detail="it left"))
        if number < 6:
            await eventually(lambda: len(harness.launcher.hosts) == number + 1)  # noqa: B023
            await harness.connected()
    await eventually(lambda: harness.observer.stops == 6)

    events = [event for change in harness.database.changes for event in change.events]
    stops = [
        event.data
        for event in events
        if isinstance(event, SessionStatus) and event.data.state is SessionState.RECONNECTING
    ]
    assert {data.reason for data in stops} == {StatusReason.LIBRARY_STOPPED}
    begun = datetime.now(UTC)
    assert [data.retry_at and data.retry_at > begun + MINUTE for data in stops] == [False] * 5 + [
        True
    ]
    assert (len(harness.launcher.hosts), harness.observer.restarts) == (6, 0)
    await harness.end()


async def test_a_host_that_has_kept_memory_is_replaced_at_once(tmp_path: Path) -> None:
    """It left in a quiet moment, which is not to become a long one; and it is no failure."""
    harness = SessionHarness(tmp_path, LIMITS_WITH_LONG_PAUSES)
    await harness.begin()
    host = harness.launcher.hosts[-1]
    host.runs = False

    await host._listener(Ended(reason="memory_kept", detail="its process has kept memory"))
    await host._listener(Exited(expected=False, detail="it left"))
    await eventually(lambda: len(harness.launcher.hosts) == 2)
    await harness.connected()

    events = [event for change in harness.database.changes for event in change.events]
    reasons = [event.data.reason for event in events if isinstance(event, SessionStatus)]
    assert reasons == [StatusReason.HOST_RENEWED, StatusReason.LOGIN_SUCCEEDED]
    assert (harness.observer.exits, harness.observer.restarts) == ([True], 0)
    await harness.end()


async def test_a_host_that_was_killed_has(harness: SessionHarness) -> None:
    """And is started again."""
    harness.launcher.hosts[0].kill()
    await eventually(lambda: len(harness.launcher.hosts) == 2, reason="another host is started")
    await harness.connected()

    assert harness.observer.exits == [False]
    assert harness.observer.restarts == 1


async def test_a_host_is_not_started_for_a_session_that_was_lost_meanwhile(
    harness: SessionHarness,
) -> None:
    """Another worker's host runs."""
    harness.launcher.may_start.clear()
    harness.launcher.hosts[0].kill()
    await eventually(lambda: harness.launcher.waiting == 1, reason="another host is being started")
    harness.session.fence()
    harness.launcher.may_start.set()
    await harness.session.close()

    assert harness.launcher.running == []
    assert all(host.killed for host in harness.launcher.hosts)


async def test_a_proxy_that_cannot_be_used_is_an_error_once(harness: SessionHarness) -> None:
    """It is tried again and again, which is no news until it has worked in between."""
    supervisor = harness.session._supervisor
    within = SessionSettings(proxy=Proxy(url="http://127.0.0.1:3128"))
    for _ in range(2):
        with capture_logs() as logs:
            await supervisor.configure(within)

            def levels() -> list[str]:
                told = [one for one in logs if one["event"] == "session.proxy_unusable"]
                return [one["log_level"] for one in told]

            await eventually(lambda: len(levels()) > 3, reason="it is tried again")
            await supervisor.configure(SessionSettings())
            await harness.connected()
        first, *others = levels()
        assert (first, set(others)) == ("error", {"info"})


async def test_a_disk_that_does_not_take_the_epoch_is_asked_again(harness: SessionHarness) -> None:
    """The session is reconnecting meanwhile, not failed for good."""
    note = harness.data.session("shop") / EPOCH_NAME
    await asyncio.to_thread(block, note)
    harness.launcher.hosts[0].kill()
    await eventually(
        lambda: harness.states().count(SessionState.RECONNECTING) >= 2,
        reason="it was tried more than once",
    )
    await asyncio.to_thread(note.rmdir)
    await harness.connected()

    assert set(harness.states()) == {SessionState.RECONNECTING, SessionState.CONNECTED}
    assert len(harness.launcher.hosts) == 2


async def test_a_deletion_is_not_over_before_the_disk_has_nothing(harness: SessionHarness) -> None:
    """The device's keys may be what is left; it is tried again."""
    await harness.session.stop()
    home = harness.data.session("shop")
    elsewhere = home.with_name("elsewhere")
    await asyncio.to_thread(home.rename, elsewhere)
    await asyncio.to_thread(home.symlink_to, elsewhere)

    with pytest.raises(DependencyError, match="cannot be removed"):
        await harness.session.destroy()
    await asyncio.to_thread(home.unlink)
    await asyncio.to_thread(elsewhere.rename, home)
    await harness.session.destroy()
    await harness.session.destroy()

    assert not elsewhere.exists()
    assert not home.exists()


async def test_a_device_that_was_unlinked_is_logged_out_whatever_the_disk_does(
    harness: SessionHarness,
) -> None:
    """Its keys are void; that they cannot be removed is no failure of the gateway."""
    await asyncio.to_thread(block, harness.data.session("shop") / DEVICE_STORE_NAME)
    host = harness.launcher.hosts[-1]
    host.runs = False
    await host._listener(Ended(reason="logged_out", detail="unlinked"))
    await host._listener(Exited(expected=False, detail="it left"))
    await eventually(lambda: harness.states()[-1:] not in ([], [SessionState.RECONNECTING]))

    assert harness.states()[-1] is SessionState.LOGGED_OUT


def block(path: Path) -> None:
    """Put a directory where a file has to be."""
    path.unlink()
    path.mkdir()


async def test_a_session_that_waits_for_its_host_can_be_stopped(tmp_path: Path) -> None:
    """Its turn to be started may be far away; nobody starts it then."""
    harness = SessionHarness(tmp_path)
    harness.launcher.may_start.clear()
    harness.session.start(StatusReason.REQUESTED)
    await eventually(lambda: harness.launcher.waiting == 1)

    await harness.session.shut_down()

    harness.launcher.may_start.set()
    await asyncio.sleep(0)
    assert harness.launcher.hosts == []
