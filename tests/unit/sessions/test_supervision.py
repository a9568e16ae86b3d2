"""Hosts that end: what is counted as a crash, and that another one follows."""

import asyncio
from pathlib import Path

from gateway_contracts import SessionState, StatusReason
from gateway_worker.sessions.device_store import OWNER_NAME
from gateway_worker.sessions.hosting import HostExited, LinkDown, LinkEnded
from tests.support.eventually import eventually
from tests.unit.sessions.company import Company


async def test_a_host_that_could_not_reach_whatsapp_has_not_crashed(company: Company) -> None:
    """It may be gone before it was told to stop; its session is reconnecting until it is back."""
    host = company.launcher.hosts[0]
    host.runs = False
    for event in (
        LinkDown(detail="lost"),
        LinkEnded(reason="unreachable", detail="away"),
        HostExited(expected=False, detail="it left"),
    ):
        await host._listener(event)
    await eventually(lambda: len(company.launcher.hosts) == 2, reason="another host is started")
    await company.connected()

    assert company.observer.exits == [True]
    assert company.observer.restarts == 0
    assert company.states() == [
        SessionState.RECONNECTING,
        SessionState.RECONNECTING,
        SessionState.CONNECTED,
    ]
    events = [event for change in company.database.changes for event in change.events]
    assert [event.data.reason for event in events] == [  # type: ignore[union-attr]
        StatusReason.CONNECTION_LOST,
        StatusReason.PROXY_UNREACHABLE,
        StatusReason.LOGIN_SUCCEEDED,
    ]


async def test_a_host_that_was_killed_has(company: Company) -> None:
    """And is started again."""
    company.launcher.hosts[0].kill()
    await eventually(lambda: len(company.launcher.hosts) == 2, reason="another host is started")
    await company.connected()

    assert company.observer.exits == [False]
    assert company.observer.restarts == 1


async def test_a_host_that_is_started_for_a_session_that_was_lost_is_killed(
    company: Company,
) -> None:
    """It must not take the time to leave in good order: another worker's host runs."""
    company.launcher.may_start.clear()
    company.launcher.hosts[0].kill()
    await eventually(lambda: company.launcher.waiting == 1, reason="another host is being started")
    company.session.fence()
    company.launcher.may_start.set()
    await eventually(lambda: len(company.launcher.hosts) == 2, reason="it has started")
    await eventually(lambda: company.launcher.hosts[1].killed, reason="it is killed")


async def test_a_disk_that_does_not_take_the_epoch_is_asked_again(company: Company) -> None:
    """The session is reconnecting meanwhile, not failed for good."""
    note = company.around.directory("shop") / OWNER_NAME
    await asyncio.to_thread(block, note)
    company.launcher.hosts[0].kill()
    await eventually(
        lambda: company.states().count(SessionState.RECONNECTING) >= 2,
        reason="it was tried more than once",
    )
    await asyncio.to_thread(note.rmdir)
    await company.connected()

    assert set(company.states()) == {SessionState.RECONNECTING, SessionState.CONNECTED}
    assert len(company.launcher.hosts) == 2


def block(path: Path) -> None:
    """Put a directory where a file has to be."""
    path.unlink()
    path.mkdir()
