"""The journal of sends: what it tells, and above all what it must not claim."""

import asyncio
import fcntl
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway_worker.errors import RecipientNotOnWhatsAppError
from gateway_worker.host_protocol import journal_format
from gateway_worker.host_protocol.failures import FailureKind
from gateway_worker.host_protocol.journal_format import Acknowledgement, Rejection
from gateway_worker.host_protocol.layout import JOURNAL_NAME, LOCK_NAME
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.sessions.send_journal import (
    Acknowledged,
    NotSubmitted,
    Rejected,
    SendTrace,
    Submitted,
    Unknown,
)
from gateway_worker.whatsapp.host import send_journal as writing
from gateway_worker.whatsapp.host.send_journal import LIMIT_BYTES, SendJournal
from gateway_worker.whatsapp.send_journals import Run, trace
from tests.support.pacing import consistently

SENT = Sent(message_id="3EB0", chat="1@s.whatsapp.net", timestamp=5)


@pytest.fixture(name="directory")
def fixture_directory(tmp_path: Path) -> Path:
    """Make a session's directory as a host finds it: with a lock file."""
    (tmp_path / LOCK_NAME).touch()
    return tmp_path


def opened(directory: Path, *, worker_id: str = "w", epoch: int = 3) -> SendJournal:
    """Open a journal as the next host does."""
    return SendJournal.open(directory=directory, worker_id=worker_id, epoch=epoch)


async def look(
    directory: Path,
    command_id: str = "c",
    *,
    worker_id: str = "w",
    epoch: int = 3,
    began: datetime | None = None,
    ours: int | None = None,
    seconds: float = 0.0,
) -> SendTrace:
    """Ask what became of a command."""
    run = Run(command_id=command_id, worker_id=worker_id, epoch=epoch, began=began)
    return await trace(directory, run, is_ours=lambda pid: pid == ours, seconds=seconds)


def answer(journal: SendJournal, command_id: str = "c") -> None:
    """Note an answer."""
    journal.acknowledged(Acknowledgement(command_id=command_id, result=SENT))


async def test_the_way_of_a_send(directory: Path) -> None:
    """Not handed over, handed over, answered."""
    journal = opened(directory)
    assert await look(directory) == NotSubmitted()

    journal.submitted("c")
    assert await look(directory) == Submitted()

    answer(journal)
    found = await look(directory)
    assert isinstance(found, Acknowledged)
    assert found.result == SENT


async def test_a_refusal_is_told_as_the_error_that_it_was(directory: Path) -> None:
    """An uncertain end is no refusal; a later attempt replaces an earlier one."""
    journal = opened(directory)
    journal.submitted("c")
    journal.rejected(Rejection(command_id="c", kind=FailureKind.UNKNOWN_RECIPIENT, detail="nobody"))
    found = await look(directory)
    assert isinstance(found, Rejected)
    assert isinstance(found.error, RecipientNotOnWhatsAppError)

    journal.submitted("c")
    assert await look(directory) == Submitted()
    journal.rejected(Rejection(command_id="c", kind=FailureKind.UNCERTAIN, detail="no answer"))
    assert await look(directory) == Submitted()


async def test_the_next_host_goes_on_with_it(directory: Path) -> None:
    """All that was in it is still told, whatever epoch the next host has."""
    first = opened(directory)
    first.submitted("a")
    answer(first, "a")
    first.submitted("b")

    opened(directory, epoch=4)

    assert isinstance(await look(directory, "a"), Acknowledged)
    assert await look(directory, "b") == Submitted()
    assert await look(directory, "c") == NotSubmitted()


async def test_no_journal(tmp_path: Path) -> None:
    """Then nothing is known."""
    assert isinstance(await look(tmp_path), Unknown)
    assert isinstance(await look(tmp_path / "nowhere"), Unknown)


@pytest.mark.parametrize("torn", [1, 5, 30])
async def test_a_torn_line_had_no_consequences(directory: Path, torn: int) -> None:
    """Its writer died in the middle of it, so it did not go on to the library."""
    journal = opened(directory)
    journal.submitted("c")
    path = directory / JOURNAL_NAME
    path.write_bytes(path.read_bytes()[:-torn])

    assert await look(directory) == NotSubmitted()

    again = opened(directory)
    assert await look(directory) == NotSubmitted()
    again.submitted("c")
    assert await look(directory) == Submitted()


@pytest.mark.parametrize("place", [0.0, 0.4, 0.97])
async def test_a_damaged_journal_claims_nothing(directory: Path, place: float) -> None:
    """Not even after the next host has put it in order; in its next epoch it is whole again."""
    journal = opened(directory)
    for number in range(20):
        journal.submitted(f"x{number}")
    path = directory / JOURNAL_NAME
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)
    assert isinstance(await look(directory), Unknown)

    opened(directory)
    assert isinstance(await look(directory), Unknown)

    opened(directory, epoch=4)
    assert await look(directory, epoch=4) == NotSubmitted()


async def test_a_copy_elsewhere_claims_only_what_happened(directory: Path, tmp_path: Path) -> None:
    """The directory from which it was copied may have gone on."""
    journal = opened(directory)
    journal.submitted("a")
    answer(journal, "a")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / JOURNAL_NAME).write_bytes((directory / JOURNAL_NAME).read_bytes())
    (elsewhere / LOCK_NAME).touch()

    assert isinstance(await look(elsewhere, "a"), Acknowledged)
    assert isinstance(await look(elsewhere), Unknown)
    opened(elsewhere)
    assert isinstance(await look(elsewhere, "a"), Acknowledged)
    assert isinstance(await look(elsewhere), Unknown)


async def test_another_workers_run(directory: Path) -> None:
    """Its sends went through another directory."""
    journal = opened(directory, worker_id="other")
    journal.submitted("a")

    assert isinstance(await look(directory), Unknown)
    opened(directory)
    assert await look(directory, "a", worker_id="other") == Submitted()
    assert isinstance(await look(directory, worker_id="other"), Unknown)


async def test_a_run_before_the_journal_began(directory: Path) -> None:
    """By epoch or by time."""
    opened(directory, epoch=5)

    assert isinstance(await look(directory, epoch=4), Unknown)
    assert await look(directory, epoch=5) == NotSubmitted()
    early = datetime.now(UTC) - timedelta(hours=1)
    assert isinstance(await look(directory, epoch=5, began=early), Unknown)
    assert await look(directory, epoch=5, began=datetime.now(UTC)) == NotSubmitted()


async def test_after_a_power_cut(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines may be missing, so only what is there counts, until the next epoch."""
    journal = opened(directory)
    journal.submitted("a")
    for module in (writing, journal_format):
        monkeypatch.setattr(module, "boot_id", lambda: "another")
    monkeypatch.setattr("gateway_worker.whatsapp.send_journals.boot_id", lambda: "another")

    assert await look(directory, "a") == Submitted()
    assert isinstance(await look(directory), Unknown)
    opened(directory, epoch=4)
    assert isinstance(await look(directory), Unknown)
    assert await look(directory, epoch=4) == NotSubmitted()


async def test_it_stays_small_and_keeps_the_last_ones(directory: Path) -> None:
    """The last commands are told as before; those that were dropped are not denied."""
    began = datetime.now(UTC)
    journal = opened(directory)
    for number in range(3_000):
        journal.submitted(f"c{number}")
        answer(journal, f"c{number}")

    assert (directory / JOURNAL_NAME).stat().st_size < LIMIT_BYTES + 1_000
    assert not (directory / ".sends.draft").exists()
    for number in range(2_500, 3_000):
        assert isinstance(await look(directory, f"c{number}"), Acknowledged)
    assert isinstance(await look(directory, "c0", began=began), Unknown)
    assert await look(directory, "new", began=datetime.now(UTC)) == NotSubmitted()


async def test_what_it_has_forgotten_was_in_it_whatever_the_clocks_say(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's clock was set back, or the database's is ahead of it."""
    later = datetime.now(UTC) + timedelta(hours=1)
    journal = opened(directory)
    for number in range(2_000):
        journal.submitted(f"c{number}")
        answer(journal, f"c{number}")
    assert isinstance(await look(directory, "c0", began=later), Unknown)
    for epoch in (4, 5):
        journal = opened(directory, epoch=epoch)
    for number in range(2_000, 4_000):
        journal.submitted(f"c{number}")

    for number in (0, 700, 1_000):
        assert isinstance(await look(directory, f"c{number}", began=later, epoch=6), Unknown)
    assert await look(directory, "new", began=later, epoch=6) == NotSubmitted()
    monkeypatch.setattr(journal_format, "MARKS_KEPT", 100)
    for number in range(4_000, 12_000):
        journal.submitted(f"c{number}")
    assert (directory / JOURNAL_NAME).stat().st_size < LIMIT_BYTES + 1_000
    assert await look(directory, "c0", began=later, epoch=6) == NotSubmitted()


async def test_a_host_that_still_lives_is_waited_for(directory: Path) -> None:
    """What it has not written yet it may write at any moment."""
    journal = opened(directory)
    journal.submitted("c")
    lock = os.open(directory / LOCK_NAME, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)

    assert isinstance(await look(directory, "other"), Unknown)
    asking = asyncio.create_task(look(directory, seconds=20))
    await consistently(lambda: not asking.done(), seconds=0.2)
    answer(journal)

    assert isinstance(await asking, Acknowledged)
    assert await look(directory, "other", ours=os.getpid()) == NotSubmitted()
    os.close(lock)
    assert await look(directory, "other") == NotSubmitted()


FULL = f"""
import resource, sys
from pathlib import Path
from gateway_worker.whatsapp.host.send_journal import SendJournal
journal = SendJournal.open(directory=Path(sys.argv[1]), worker_id="w", epoch=3)
resource.setrlimit(resource.RLIMIT_FSIZE, (700, {resource.RLIM_INFINITY}))
handed = []
for number in range(50):
    try:
        journal.submitted(f"c{{number}}")
        handed.append(number)
    except OSError:
        break
resource.setrlimit(resource.RLIMIT_FSIZE, ({resource.RLIM_INFINITY},) * 2)
journal.submitted("later")
print(len(handed))
"""


async def test_a_full_disk_refuses_the_send(directory: Path) -> None:
    """Nothing is handed over that was not noted, and nothing is left of the attempt."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FULL, str(directory)],
        capture_output=True,
        check=True,
    )
    count = int(done.stdout)

    assert 0 < count < 50
    assert await look(directory, f"c{count - 1}") == Submitted()
    assert await look(directory, f"c{count}") == NotSubmitted()
    assert await look(directory, "later") == Submitted()
