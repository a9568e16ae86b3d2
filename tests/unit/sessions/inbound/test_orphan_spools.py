"""What a spool still holds goes to the session's owner, and is gone from the disk only then."""

import asyncio
import fcntl
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_contracts import HistoryMessages, MessageReceived, parse_event
from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.layout import HISTORY_NAME, HISTORY_SUFFIX, LOCK_NAME
from gateway_worker.host_protocol.signals import Exited
from gateway_worker.sessions.hosting import HostListener, HostSpec
from gateway_worker.sessions.inbound import orphan_spools as module
from gateway_worker.sessions.inbound.history import history_event
from gateway_worker.sessions.inbound.orphan_spools import OrphanSpools
from gateway_worker.sessions.inbound.quarantine import Quarantine
from gateway_worker.sessions.peer_messages import PeerMessage
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.store.directory_moves import DirectoryMoves
from gateway_worker.sessions.store.store_files import park
from tests.integration.storage.db.support import message as refused
from tests.support.eventually import eventually
from tests.support.ports import (
    UnaskedHost,
    UnaskedLauncher,
    UnaskedPeerMessages,
    UnaskedSnapshots,
)
from tests.support.publications import MemoryPublications
from tests.support.sessions import MemorySessions
from tests.support.snapshots import MemorySnapshots
from tests.unit.sessions.harness import linked_row
from tests.unit.sessions.inbound.test_history import page
from tests.unit.sessions.inbound.test_recording import message

RECORDS = 4
OUTAGE = 3


class Disk(MemorySessions, UnaskedLauncher, MemoryPublications, UnaskedHost):
    """A spool of some messages, the broker that they go to, and the session's owner."""

    def __init__(self) -> None:
        MemorySessions.__init__(self, replace(linked_row("cafe", epoch=7), worker_id="beta"))
        MemoryPublications.__init__(self)
        self.sent: list[str] = []
        self.acknowledged = 0
        self.lost: list[str] = []
        self.refusals = OUTAGE

    async def replay(self, spec: HostSpec, listener: HostListener) -> "Disk":
        """Tell the messages, as fast as they are taken."""
        self._told = asyncio.create_task(self._tell(listener))
        return self

    async def _tell(self, listener: HostListener) -> None:
        for record in range(1, RECORDS + 1):
            await listener(message(record))
        await eventually(lambda: self.acknowledged == RECORDS)
        await listener(Exited(expected=True, detail=""))

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Take a message, unless the broker is unavailable: it is, at the first few attempts."""
        assert worker_id == "beta"
        if self.refusals:
            self.refusals -= 1
            raise DependencyError("away")
        await super().send_peer_message(kind, worker_id=worker_id, body=body, message_id=message_id)
        for event in PeerMessage.decode(kind, body).events:
            received = parse_event(event)
            assert isinstance(received, MessageReceived)
            self.sent.append(received.data.message_id)

    def acknowledge(self, record: int) -> None:
        """Forget what there is up to a record; killed now, a worker has lost what was not sent."""
        self.lost += {f"M{number}" for number in range(1, record + 1)} - set(self.sent)
        self.acknowledged = record

    async def stop(self) -> None:
        """Be gone."""
        await self._told


def orphan_spools_on(disk: Disk, directory: Path) -> OrphanSpools:
    """Orphan spools on a disk that plays launcher, table and the way to the owner."""
    return OrphanSpools(
        worker_id="me",
        directory=directory,
        launcher=disk,
        sessions=disk,
        snapshots=UnaskedSnapshots(),
        peer_messages=disk,
        held=lambda _session_id: False,
    )


async def test_nothing_is_forgotten_before_all_that_came_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that waits for the broker is not overtaken by the next one."""
    (tmp_path / "sessions" / "cafe").mkdir(parents=True)
    disk = Disk()
    monkeypatch.setattr(module, "pending_records", lambda _directory: RECORDS - disk.acknowledged)
    orphan_spools = orphan_spools_on(disk, tmp_path)

    await orphan_spools.clear("cafe")

    assert disk.lost == []
    assert disk.sent == [f"M{record}" for record in range(1, RECORDS + 1)]
    assert list((tmp_path / "leftovers").iterdir()) == []


class PastDisk(Disk):
    """A directory in which nothing but the rest of a history is left, in two pages."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.names: list[str] = []
        self.pages: list[HistoryMessages] = []
        self._taken = asyncio.Event()

    async def _tell(self, listener: HostListener) -> None:
        for name in ("p-0-0", "p-0-100"):
            self._taken.clear()
            await listener(page(name))
            await self._taken.wait()
        for path in (self.path / "leftovers").glob(f"*/{HISTORY_NAME}/*"):
            path.unlink()
        await listener(Exited(expected=True, detail=""))

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Take a page."""
        assert worker_id == "beta"
        for event in PeerMessage.decode(kind, body).events:
            received = parse_event(event)
            assert isinstance(received, HistoryMessages)
            self.pages.append(received)

    def take_history(self, page: str) -> None:
        """Go on; what is taken has been sent."""
        self.names.append(page)
        assert len(self.pages) == len(self.names)
        self._taken.set()


async def test_what_is_left_of_a_history_goes_to_the_owner(tmp_path: Path) -> None:
    """Page by page, each under the id that the owner would have given it."""
    past = tmp_path / "sessions" / "cafe" / HISTORY_NAME
    past.mkdir(parents=True)
    (past / f"1{HISTORY_SUFFIX}").write_bytes(b"some")
    disk = PastDisk(tmp_path)

    await orphan_spools_on(disk, tmp_path).clear("cafe")

    assert disk.names == ["p-0-0", "p-0-100"]
    expected = [
        history_event(page(name), source="/workers/beta", session_id="cafe") for name in disk.names
    ]
    assert [one.id for one in disk.pages] == [one.id for one in expected]
    assert list((tmp_path / "leftovers").iterdir()) == []


class Outage(Disk):
    """The same while the broker is unavailable for good."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 1_000_000
        self.is_stopped = False

    async def stop(self) -> None:
        """Be gone, told or not."""
        self._told.cancel()
        self.is_stopped = True


async def test_what_cannot_be_sent_in_time_is_not_sent_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look that gives up leaves nobody behind who goes on trying; the spool keeps it all."""
    (tmp_path / "sessions" / "cafe").mkdir(parents=True)
    disk = Outage()
    monkeypatch.setattr(module, "pending_records", lambda _directory: RECORDS - disk.acknowledged)
    monkeypatch.setattr(module, "_REPLAY_SECONDS", 0.05)
    orphan_spools = orphan_spools_on(disk, tmp_path)

    await orphan_spools.clear("cafe")
    refusals = disk.refusals
    assert refusals < 1_000_000
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("late:")] == []

    disk.refusals = 0
    await asyncio.sleep(0)
    assert (disk.sent, disk.acknowledged, disk.is_stopped) == ([], 0, True)
    assert len(list((tmp_path / "leftovers").iterdir())) == 1


def table(row: SessionRow | None, *, deleted: bool = False) -> MemorySessions:
    """Return the sessions table: with one session, or none."""
    sessions = MemorySessions(*([] if row is None else [row]))
    if deleted:
        sessions.delete("shop")
    return sessions


class Copies(MemorySnapshots):
    """Copies, by epoch, of which some may not come back as they were.

    Args:
        kept: The epoch of which there is a copy that opens.
        stores: Whether one that is made is kept.
        portable: Whether any are made at all.
    """

    def __init__(
        self, kept: int | None = None, *, stores: bool = True, portable: bool = True
    ) -> None:
        super().__init__(portable=portable)
        self.stores = stores
        self.made: list[int] = []
        if kept is not None:
            self.keep("shop", epoch=kept)

    async def save(
        self, session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> bool:
        """Make one, unless a later one is there."""
        self.made.append(epoch)
        return self.stores and await super().save(session_id, directory, epoch=epoch, again=again)


def elsewhere() -> SessionRow:
    """Return a session that another worker has."""
    return replace(linked_row("shop", epoch=7), worker_id="beta")


def orphan_spools_of(directory: Path, sessions: MemorySessions, copies: Copies) -> OrphanSpools:
    """Return what clears a directory in which `shop` has a store of epoch 3."""
    home = directory / "sessions" / "shop"
    home.mkdir(parents=True)
    with closing(sqlite3.connect(home / "store.db")) as database, database:
        database.execute("CREATE TABLE whatsmeow_device (jid TEXT)")
        database.execute("INSERT INTO whatsmeow_device VALUES ('1@s')")
    (home / "epoch").write_text("3")
    return OrphanSpools(
        worker_id="me",
        directory=directory,
        launcher=UnaskedLauncher(),
        sessions=sessions,
        snapshots=copies,
        peer_messages=UnaskedPeerMessages(),
        held=lambda _session_id: False,
    )


def stores(directory: Path) -> list[str]:
    """Return where the stores in a worker's directory are."""
    found = directory.rglob("store.db")
    return sorted(path.relative_to(directory).parts[0] for path in found)


@pytest.mark.parametrize(
    ("copies", "copied", "made"),
    [
        (Copies(4), None, []),  # a later owner's
        (Copies(3), 3, []),  # as it was handed over
        (Copies(3), None, [3]),  # of the same owner, but perhaps of before
        (Copies(), 3, [3]),  # it was made, and is gone
        (Copies(), None, [3]),
    ],
)
async def test_a_store_goes_when_a_copy_has_been_opened(
    tmp_path: Path, copies: Copies, copied: int | None, made: list[int]
) -> None:
    """One that has all of it."""
    orphan_spools = orphan_spools_of(tmp_path, table(elsewhere()), copies)
    await orphan_spools.clear("shop", copied)
    assert copies.made == made
    assert stores(tmp_path) == []
    assert orphan_spools.kept == 0


async def test_a_store_stays_if_no_copy_opens(tmp_path: Path) -> None:
    """And goes once there is one; in between it is told once, as an error."""
    copies = Copies(stores=False)
    orphan_spools = orphan_spools_of(tmp_path, table(elsewhere()), copies)
    with capture_logs() as logs:
        await orphan_spools.clear("shop", 3)
        await orphan_spools._send_parked()
    assert stores(tmp_path) == ["leftovers"]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("orphan_spools.last_copy", "error")
    ]
    assert orphan_spools.kept == 1
    copies.stores = True
    await orphan_spools._send_parked()
    assert stores(tmp_path) == []
    assert orphan_spools.kept == 0


async def test_without_copies_a_store_stays_where_it_is_looked_for(tmp_path: Path) -> None:
    """The session finds it there when it comes back."""
    orphan_spools = orphan_spools_of(tmp_path, table(elsewhere()), Copies(portable=False))
    with capture_logs() as logs:
        for _ in range(2):
            await orphan_spools.clear("shop")
    assert stores(tmp_path) == ["sessions"]
    assert [entry["event"] for entry in logs] == ["orphan_spools.last_copy"]


@pytest.mark.parametrize(("deleted", "left"), [(True, []), (False, ["sessions"])])
async def test_a_session_that_the_database_does_not_know(
    tmp_path: Path, *, deleted: bool, left: list[str]
) -> None:
    """Its store goes if it was deleted; otherwise this may be another database."""
    orphan_spools = orphan_spools_of(tmp_path, table(None, deleted=deleted), Copies())
    await orphan_spools.clear("shop")
    assert stores(tmp_path) == left
    assert orphan_spools.kept == len(left)


async def test_nothing_is_moved_from_under_a_host(tmp_path: Path) -> None:
    """Whoever's it is: the library would go on in a file that nobody finds again."""
    orphan_spools = orphan_spools_of(tmp_path, table(elsewhere()), Copies(4))
    with (tmp_path / "sessions" / "shop" / LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        await orphan_spools.clear("shop")
        assert stores(tmp_path) == ["sessions"]
    await orphan_spools.clear("shop")
    assert stores(tmp_path) == []


async def test_a_store_without_a_device_is_no_last_copy(tmp_path: Path) -> None:
    """The library makes one for every session that shows a QR code."""
    orphan_spools = orphan_spools_of(tmp_path, table(elsewhere()), Copies(portable=False))
    with closing(sqlite3.connect(tmp_path / "sessions" / "shop" / "store.db")) as database:
        database.execute("DELETE FROM whatsmeow_device")
        database.commit()
    await orphan_spools.clear("shop")
    assert stores(tmp_path) == []


async def test_what_the_database_has_refused_here_goes_to_the_owner_too(tmp_path: Path) -> None:
    """Nobody else has it; while the broker is unavailable it stays on the disk."""
    directory = tmp_path / "sessions" / "cafe"
    directory.mkdir(parents=True)
    refusals = Quarantine(directory)
    for number in (1, 2):
        refusals.keep(refused(number))
    disk = Disk()
    disk.refusals = 1
    orphan_spools = orphan_spools_on(disk, tmp_path)

    await orphan_spools.clear("cafe")
    assert disk.sent == []
    assert len(list((tmp_path / "leftovers").iterdir())) == 1

    stop = asyncio.Event()
    running = asyncio.create_task(orphan_spools.run(stop))
    await eventually(lambda: list((tmp_path / "leftovers").iterdir()) == [])
    stop.set()
    await running
    assert disk.sent == ["M1", "M2"]


async def test_a_directory_is_moved_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may take its time for it. The session itself waits, if it comes back meanwhile."""
    (tmp_path / "sessions" / "cafe").mkdir(parents=True)
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def slow(directory: Path, parking: Path) -> Path:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(5)
        return park(directory, parking)

    monkeypatch.setattr(module, "park", slow)
    monkeypatch.setattr(module, "pending_records", lambda _directory: 0)
    disk, moves = Disk(), DirectoryMoves()
    orphan_spools = OrphanSpools(
        worker_id="me",
        directory=tmp_path,
        launcher=disk,
        sessions=disk,
        snapshots=UnaskedSnapshots(),
        peer_messages=disk,
        held=lambda _session_id: False,
        moves=moves,
    )
    clearing = asyncio.create_task(orphan_spools.clear("cafe"))
    await begun.wait()
    assert (tmp_path / "sessions" / "cafe").is_dir()
    coming = asyncio.create_task(moves.ended("cafe"))
    async with asyncio.timeout(5):
        await moves.ended("bar")
    assert not coming.done()
    go_on.set()
    await coming
    assert not (tmp_path / "sessions" / "cafe").exists()
    await clearing
