"""Refused arrivals: kept, told again, and in the end told without their row."""

import asyncio
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway_contracts import MessageReceived
from gateway_worker.errors import PermanentError
from gateway_worker.host_protocol.layout import REFUSED_NAME
from gateway_worker.sessions.changes import Change, Committed
from gateway_worker.sessions.inbound.quarantine import Quarantine, QuarantineCount
from gateway_worker.sessions.inbound.quarantine_retry import (
    FULL_TIMES,
    QuarantineRetries,
    QuarantineRetry,
)
from tests.integration.storage.db.support import message
from tests.support.eventually import eventually
from tests.support.recorder import MemoryRecorder


class Journal(MemoryRecorder):
    """Answers as the test says: True for a commit, False for a refusal; a commit else."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: deque[bool] = deque()

    def _write(self, change: Change) -> Committed:
        if self.answers and not self.answers.popleft():
            raise PermanentError("refused")
        return super()._write(change)


@dataclass
class Place:
    """A session as far as it is told again."""

    journal: Journal
    quarantine: Quarantine
    quarantine_retry: QuarantineRetry


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return one with two refused messages."""
    journal, quarantine = Journal(), Quarantine(tmp_path)
    for number in (1, 2):
        quarantine.keep(message(number))
    retry = QuarantineRetry(session_id="s", epoch=3, quarantine=quarantine, record=journal.record)
    return Place(journal=journal, quarantine=quarantine, quarantine_retry=retry)


async def test_what_was_refused_is_told_with_its_row(place: Place) -> None:
    """Under the present epoch, and then nothing is left of it."""
    assert await place.quarantine_retry.retry() == 0

    assert [change.message for change in place.journal.changes] == [
        message(number).message for number in (1, 2)
    ]
    assert {change.epoch for change in place.journal.changes} == {3}
    assert place.quarantine.read() == []
    assert place.quarantine_retry.recorded == 2
    assert await place.quarantine_retry.retry() == 0
    assert len(place.journal.changes) == 2


async def test_what_is_refused_again_stays_and_costs_the_others_nothing(place: Place) -> None:
    """And it is told the next time."""
    place.journal.answers.extend([False, True])
    assert await place.quarantine_retry.retry() == 1
    assert len(place.quarantine.read()) == 1

    assert await place.quarantine_retry.retry() == 0
    assert place.quarantine_retry.recorded == 2


async def test_a_row_that_no_table_takes_is_left_out_in_the_end(place: Place) -> None:
    """The event is told all the same."""
    place.journal.answers.extend([False, True, *[False] * (FULL_TIMES - 1)])
    for _ in range(FULL_TIMES):
        assert await place.quarantine_retry.retry() == 1

    assert await place.quarantine_retry.retry() == 0
    last = place.journal.changes[-1]
    assert last.message is None
    assert isinstance(last.events[0], MessageReceived)


async def test_a_session_that_another_worker_has_tells_nothing(place: Place) -> None:
    """What is on the disk is sent to that one."""
    place.journal.lose("s")
    assert await place.quarantine_retry.retry() == 2


async def test_a_line_that_a_crash_has_cut_off_is_no_event(place: Place, tmp_path: Path) -> None:
    """It was not acknowledged, so the spool has it."""
    file = tmp_path / REFUSED_NAME
    with file.open("ab") as lines:
        lines.write(b'{"specversion": "1.0", "id": "x')
    later = Quarantine(tmp_path)
    assert len(later.read()) == 2
    later.keep(message(3))
    assert len(later.read()) == 3
    assert await place.quarantine_retry.retry() == 0
    assert not file.exists()


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    """Beyond it nothing is acknowledged any more, and WhatsApp keeps what comes."""
    quarantine = Quarantine(tmp_path, limit_bytes=600)
    quarantine.keep(message(1))
    with pytest.raises(OSError, match="600 bytes"):
        quarantine.keep(message(2))
    assert len(quarantine.read()) == 1
    assert (tmp_path / REFUSED_NAME).stat().st_mode & 0o777 == 0o600


async def test_they_are_told_by_themselves(place: Place) -> None:
    """Those of an earlier life at the start, later ones soon after they were refused."""
    count, stop = QuarantineCount(), asyncio.Event()
    service = QuarantineRetries(
        sessions=lambda: [place], quarantined=count, initial_seconds=0.01, maximum_seconds=60.0
    )
    running = asyncio.create_task(service.run(stop))
    await eventually(lambda: service.recorded == 2, reason="those that were there")
    assert service.waiting == 0

    place.journal.answers.extend([False])
    place.quarantine.keep(message(3))
    count.note()
    await eventually(lambda: service.recorded == 3, reason="that one, at the second try")

    assert (service.refused, service.waiting) == (1, 0)
    stop.set()
    await running
