"""A session leaves only if what its handover needs is there; else it stays, or comes back soon."""

from pathlib import Path

import pytest

from gateway_contracts import SessionState, StatusReason
from gateway_worker.errors import DependencyError
from tests.unit.sessions.harness import Company


async def test_a_session_that_is_packed_has_no_host(company: Company) -> None:
    """One copy was made while it was connected, and a quick one afterwards."""
    await company.session.pack(StatusReason.HANDED_OVER)

    assert company.session.is_packed
    assert company.session.is_leaving
    assert company.launcher.running == []
    assert company.copies.made == [False, True]
    assert company.states() == [SessionState.RECONNECTING]


async def test_it_is_packed_once(company: Company) -> None:
    """When its new worker refuses it, and another one is asked, nothing has changed since."""
    await company.session.pack(StatusReason.WORKER_DRAINING)
    await company.session.pack(StatusReason.WORKER_DRAINING)

    assert company.copies.made == [False, True]


@pytest.mark.parametrize("which", ["objects", "silent objects", "database", "lease"])
async def test_it_stays_connected_if_something_is_away(company: Company, which: str) -> None:
    """Nobody notices that it was to leave."""
    host = company.launcher.hosts[0]
    if which == "objects":
        company.copies.away_from = 0
    elif which == "silent objects":
        company.copies.silent_from = 0
    elif which == "database":
        company.database.is_away = True
    else:
        company.around.tenure.lapse()

    with pytest.raises(DependencyError):
        await company.session.pack(StatusReason.HANDED_OVER)

    assert company.session.is_connected
    assert not company.session.is_leaving
    assert company.launcher.running == [host]
    assert company.states() == []


@pytest.mark.parametrize("which", ["objects", "silent objects"])
async def test_it_comes_back_if_its_last_copy_cannot_be_made(company: Company, which: str) -> None:
    """With another host, at this worker, under the same epoch."""
    if which == "objects":
        company.copies.away_from = 1
    else:
        company.copies.silent_from = 1

    with pytest.raises(DependencyError):
        await company.session.pack(StatusReason.HANDED_OVER)

    await company.connected()
    assert not company.session.is_packed
    assert not company.session.is_leaving
    assert len(company.launcher.hosts) == 2
    assert company.states() == [
        SessionState.RECONNECTING,
        SessionState.CONNECTING,
        SessionState.CONNECTED,
    ]


async def test_it_comes_back_if_the_database_goes_away_at_the_last_moment(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of owner that cannot be taken back is not begun."""
    save = company.copies.save

    async def save_and_break(
        session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> bool:
        stored = await save(session_id, directory, epoch=epoch, again=again)
        company.database.is_away = True
        return stored

    monkeypatch.setattr(company.copies, "save", save_and_break)

    with pytest.raises(DependencyError):
        await company.session.pack(StatusReason.HANDED_OVER)

    await company.connected()
    assert all(change.transfer is None for change in company.database.changes)


async def test_it_does_not_come_back_if_another_worker_has_it(company: Company) -> None:
    """It was taken over while it was being packed."""
    company.copies.away_from = 1
    company.database.lose("shop")

    with pytest.raises(DependencyError):
        await company.session.pack(StatusReason.HANDED_OVER)

    assert company.session.fenced
    assert company.lost == [company.session]
    assert company.launcher.running == []
    assert len(company.launcher.hosts) == 1


async def test_it_goes_on_if_nobody_takes_it(company: Company) -> None:
    """And can be packed again later."""
    await company.session.pack(StatusReason.HANDED_OVER)
    company.session.unpack()
    await company.connected()

    await company.session.pack(StatusReason.HANDED_OVER)

    assert company.copies.made == [False, True, False, True]
    assert company.launcher.running == []
