"""A session leaves only if what its handover needs is there; else it stays, or comes back soon."""

from pathlib import Path

import pytest

from gateway_contracts import SessionState, StatusReason
from gateway_worker.errors import DependencyError
from tests.unit.sessions.harness import SessionHarness


async def test_a_session_that_is_quiesced_has_no_host(harness: SessionHarness) -> None:
    """One copy was made while it was connected, and a quick one afterwards."""
    await harness.session.quiesce(StatusReason.HANDED_OVER)

    assert harness.session.is_quiesced
    assert harness.session.is_leaving
    assert harness.launcher.running == []
    assert harness.copies.made == [False, True]
    assert harness.states() == [SessionState.RECONNECTING]


async def test_it_is_quiesced_once(harness: SessionHarness) -> None:
    """When its new worker refuses it, and another one is asked, nothing has changed since."""
    await harness.session.quiesce(StatusReason.WORKER_DRAINING)
    await harness.session.quiesce(StatusReason.WORKER_DRAINING)

    assert harness.copies.made == [False, True]


@pytest.mark.parametrize("which", ["objects", "silent objects", "database", "lease"])
async def test_it_stays_connected_if_something_is_unavailable(
    harness: SessionHarness, which: str
) -> None:
    """Nobody notices that it was to leave."""
    host = harness.launcher.hosts[0]
    if which == "objects":
        harness.copies.away_from = 0
    elif which == "silent objects":
        harness.copies.silent_from = 0
    elif which == "database":
        harness.database.is_away = True
    else:
        harness.sessions.lease_state.lapse()

    with pytest.raises(DependencyError):
        await harness.session.quiesce(StatusReason.HANDED_OVER)

    assert harness.session.is_connected
    assert not harness.session.is_leaving
    assert harness.launcher.running == [host]
    assert harness.states() == []


@pytest.mark.parametrize("which", ["objects", "silent objects"])
async def test_it_comes_back_if_its_last_copy_cannot_be_made(
    harness: SessionHarness, which: str
) -> None:
    """With another host, at this worker, under the same epoch."""
    if which == "objects":
        harness.copies.away_from = 1
    else:
        harness.copies.silent_from = 1

    with pytest.raises(DependencyError):
        await harness.session.quiesce(StatusReason.HANDED_OVER)

    await harness.connected()
    assert not harness.session.is_quiesced
    assert not harness.session.is_leaving
    assert len(harness.launcher.hosts) == 2
    assert harness.states() == [
        SessionState.RECONNECTING,
        SessionState.CONNECTING,
        SessionState.CONNECTED,
    ]


async def test_it_comes_back_if_the_database_becomes_unavailable_at_the_last_moment(
    harness: SessionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of owner that cannot be taken back is not begun."""
    save = harness.copies.save

    async def save_and_break(
        session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> bool:
        stored = await save(session_id, directory, epoch=epoch, again=again)
        harness.database.is_away = True
        return stored

    monkeypatch.setattr(harness.copies, "save", save_and_break)

    with pytest.raises(DependencyError):
        await harness.session.quiesce(StatusReason.HANDED_OVER)

    await harness.connected()
    assert all(change.transfer is None for change in harness.database.changes)


async def test_it_does_not_come_back_if_another_worker_has_it(harness: SessionHarness) -> None:
    """It was taken over while it was being quiesced."""
    harness.copies.away_from = 1
    harness.database.lose("shop")

    with pytest.raises(DependencyError):
        await harness.session.quiesce(StatusReason.HANDED_OVER)

    assert harness.session.fenced
    assert harness.lost == [harness.session]
    assert harness.launcher.running == []
    assert len(harness.launcher.hosts) == 1


async def test_it_goes_on_if_nobody_takes_it(harness: SessionHarness) -> None:
    """And can be quiesced again later."""
    await harness.session.quiesce(StatusReason.HANDED_OVER)
    harness.session.resume()
    await harness.connected()

    await harness.session.quiesce(StatusReason.HANDED_OVER)

    assert harness.copies.made == [False, True, False, True]
    assert harness.launcher.running == []
