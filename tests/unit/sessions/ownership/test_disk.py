"""A worker's disk is its own: nobody else starts on it, and it does not start on another's."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_worker.errors import ConfigurationError, DependencyError
from gateway_worker.sessions.ownership import disk as module
from gateway_worker.sessions.ownership.disk import (
    IDENTITY_NAME,
    Disk,
    claimed,
    examine,
    looked_at,
    settle,
)
from gateway_worker.sessions.ownership.ports import DiskRecords
from tests.support.disk_records import MemoryDiskRecords

FLEET, OTHER_FLEET = "fleet-one", "fleet-two"
HOLDER = """
import sys
from pathlib import Path
from gateway_worker.sessions.ownership.disk import claimed
with claimed(Path(sys.argv[1]), worker_id=sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def store(directory: Path, session_id: str) -> None:
    """Put a device store into a worker's directory."""
    home = directory / "sessions" / session_id
    home.mkdir(parents=True)
    (home / "store.db").write_bytes(b"keys")


async def settled(directory: Path, records: DiskRecords, *, portable: bool = True) -> Disk:
    """Start a worker on a disk, as far as that goes, and leave."""
    with claimed(directory, worker_id="w") as disk:
        await settle(disk, records, fleet=FLEET, are_portable=portable)
        return disk


@contextmanager
def held(directory: Path, worker_id: str) -> Iterator["subprocess.Popen[str]"]:
    """Run another process on a directory."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory), worker_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("place", [".", "link", "nested/../"])
def test_a_directory_in_use_is_refused(tmp_path: Path, place: str) -> None:
    """Under whatever path; the text names who has it and what to set."""
    (tmp_path / "data" / "nested").mkdir(parents=True)
    (tmp_path / "data" / "link").symlink_to(tmp_path / "data")
    with held(tmp_path / "data", "alpha") as process:
        with (
            pytest.raises(ConfigurationError) as refused,
            claimed(tmp_path / "data" / place, worker_id="beta"),
        ):
            pass
        text = str(refused.value)
        assert f"in use by the worker alpha (process {process.pid}" in text
        assert "DATA_DIR" in text
        assert "WORKER_ID" in text
        with (
            pytest.raises(ConfigurationError, match="this same worker"),
            claimed(tmp_path / "data", worker_id="alpha"),
        ):
            pass


def test_a_process_that_is_killed_lets_go(tmp_path: Path) -> None:
    """Its successor does not have to clear anything away."""
    with held(tmp_path, "alpha") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with claimed(tmp_path, worker_id="alpha") as disk:
            assert disk.directory == tmp_path


def test_what_cannot_be_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    """A file in its place, or a directory in which nothing can be made."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "data", Path("/proc/nowhere")):
        with (
            pytest.raises(ConfigurationError, match=r"DATA_DIR: .* cannot be written to: "),
            claimed(place, worker_id="w"),
        ):
            pass


async def test_a_directory_stays_its_worker_s(tmp_path: Path) -> None:
    """Another name, or another database, gets it only if nothing of a session is in it."""
    first = await settled(tmp_path, MemoryDiskRecords())
    assert (await settled(tmp_path, MemoryDiskRecords(first.disk_id))) == replace(
        first, fleet=FLEET
    )
    store(tmp_path, "shop")
    with (
        pytest.raises(ConfigurationError, match="the sessions of the worker w"),
        claimed(tmp_path, worker_id="other"),
    ):
        pass
    with (
        claimed(tmp_path, worker_id="w") as disk,
        pytest.raises(ConfigurationError, match="another fleet"),
    ):
        await settle(disk, MemoryDiskRecords(), fleet=OTHER_FLEET, are_portable=True)
    (tmp_path / "sessions" / "shop" / "store.db").unlink()
    (tmp_path / "sessions" / "shop").rmdir()
    with claimed(tmp_path, worker_id="other") as disk:
        await settle(disk, MemoryDiskRecords(), fleet=OTHER_FLEET, are_portable=True)
    identity = json.loads((tmp_path / IDENTITY_NAME).read_bytes())
    assert (identity["worker"], identity["fleet"]) == ("other", OTHER_FLEET)
    assert identity["disk"] != first.disk_id


def test_an_identity_that_cannot_be_read_is_no_licence(tmp_path: Path) -> None:
    """It may be anybody's."""
    (tmp_path / IDENTITY_NAME).write_text('{"worker": "w"')
    with pytest.raises(ConfigurationError, match=IDENTITY_NAME), claimed(tmp_path, worker_id="w"):
        pass


async def test_another_disk_is_refused_if_stores_are_only_on_the_first(tmp_path: Path) -> None:
    """Instead of ending those sessions; with copies of all it goes on."""
    records = partial(MemoryDiskRecords, "of-before", copied=["a"])
    with pytest.raises(ConfigurationError, match=r"2 linked sessions .*\(b, c\).*ctl disk forget"):
        await settled(tmp_path / "new", records(uncopied=["b", "c"]))
    assert not (tmp_path / "new" / IDENTITY_NAME).exists()
    with pytest.raises(ConfigurationError, match="SNAPSHOT_KEYS"):
        await settled(tmp_path / "new", records(), portable=False)
    await settled(tmp_path / "new", records())
    store(tmp_path / "moved", "b")
    await settled(tmp_path / "moved", records(uncopied=["b"]))
    lost_and_told = MemoryDiskRecords(uncopied=["b"])
    await settled(tmp_path / "fresh", lost_and_told)


async def test_a_directory_that_was_emptied_is_refused(tmp_path: Path) -> None:
    """If one store of several is missing, the others go on, and it is told."""
    first = await settled(tmp_path, MemoryDiskRecords())
    records = partial(MemoryDiskRecords, first.disk_id, uncopied=["a", "b"])
    with pytest.raises(ConfigurationError, match="Mount that one"):
        await settled(tmp_path, records())
    store(tmp_path, "a")
    with capture_logs() as logs:
        await settled(tmp_path, records())
    assert [(entry["event"], entry["sessions"]) for entry in logs] == [
        ("disk.stores_missing", ["b"])
    ]


async def test_two_of_one_name_on_two_disks_are_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has died is waited for; one that renews its lease lives, whatever it is called."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0)
    alive, dead = MemoryDiskRecords(), MemoryDiskRecords()
    for records in (alive, dead):
        records.run_on("elsewhere")
    alive.at_look[4] = partial(alive.run_on, "elsewhere")
    with pytest.raises(ConfigurationError, match="is running with another DATA_DIR"):
        await settled(tmp_path, alive)
    dead.at_look[4] = dead.leave
    dead.outages = 1
    await settled(tmp_path, dead)


async def test_the_same_directory_by_another_path_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative one is settled once, wherever the process goes later."""
    monkeypatch.chdir(tmp_path)
    first = await settled(Path("data"), MemoryDiskRecords())
    assert first.directory == tmp_path / "data"
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert (await settled(tmp_path / "link", MemoryDiskRecords())).disk_id == first.disk_id


async def test_a_look_says_what_a_start_would(tmp_path: Path) -> None:
    """Of a new directory, this worker's, another's, another fleet's; it leaves all as it is."""
    new = tmp_path / "new"
    assert looked_at(new / "deep", worker_id="w").is_empty
    assert not new.exists()

    own = await settled(new, MemoryDiskRecords())
    store(new, "s")
    before = sorted(path.relative_to(new) for path in new.rglob("*"))
    assert looked_at(new, worker_id="w").disk_id == own.disk_id
    with pytest.raises(ConfigurationError, match=r"has the sessions of the worker w.*WORKER_ID=w"):
        looked_at(new, worker_id="v")
    disk = looked_at(new, worker_id="w")
    await examine(disk, MemoryDiskRecords(), fleet=FLEET, are_portable=True)
    for other in (OTHER_FLEET, None):
        with pytest.raises(ConfigurationError, match="the sessions of another fleet"):
            await examine(disk, MemoryDiskRecords(), fleet=other, are_portable=True)
    assert sorted(path.relative_to(new) for path in new.rglob("*")) == before


def test_a_look_while_a_worker_runs(tmp_path: Path) -> None:
    """This one may: it is what is looked after. Another one is named."""
    with held(tmp_path, "w"):
        looked_at(tmp_path, worker_id="w")
        with pytest.raises(ConfigurationError, match=r"in use by the worker w \(process \d+"):
            looked_at(tmp_path, worker_id="v")
    looked_at(tmp_path, worker_id="v")


async def test_a_look_at_a_disk_that_is_not_the_workers(tmp_path: Path) -> None:
    """It runs on another one, or has left its stores on another one."""
    disk = looked_at(tmp_path / "new", worker_id="w")
    elsewhere = MemoryDiskRecords(uncopied=["s"])
    elsewhere.run_on("elsewhere")
    with pytest.raises(ConfigurationError, match=r"WORKER_ID: .*another DATA_DIR"):
        await examine(disk, elsewhere, fleet=FLEET, are_portable=True)
    elsewhere.leave()
    with pytest.raises(ConfigurationError, match=r"neither their device stores .* nor a copy"):
        await examine(disk, elsewhere, fleet=FLEET, are_portable=True)
    records = MemoryDiskRecords()
    records.outages = 1
    with pytest.raises(DependencyError):
        await examine(disk, records, fleet=FLEET, are_portable=True)


def test_what_helps_depends_on_what_is_the_matter(tmp_path: Path) -> None:
    """Rights are not to be looked at where a file is in the way, or a name too long."""
    (tmp_path / "file").write_text("")
    for place, remedy in (
        (tmp_path / "file", "A file is in its place"),
        (tmp_path / "file" / "data", "A file is in its way"),
        (tmp_path / ("x" * 300), "choose a shorter one, or name another directory"),
    ):
        with pytest.raises(ConfigurationError, match=remedy), claimed(place, worker_id="w"):
            pass


def test_a_look_at_a_place_where_nothing_can_be_made(tmp_path: Path) -> None:
    """A file is in the way; the remedy is told as at the start."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        for use in (looked_at, lambda *a, **k: claimed(*a, **k).__enter__()):
            with pytest.raises(ConfigurationError, match=r"cannot be written to: .* or name"):
                use(path, worker_id="w")
