"""Workers, sessions and the keys of snapshots from the command line."""

from pathlib import Path

from pydantic import SecretStr

from gateway_worker.devkit.services import ObjectStore
from gateway_worker.storage.db import (
    Database,
    DatabaseSettings,
    PostgresSessionStore,
    PostgresWorkerStore,
    fleet_id,
)
from gateway_worker.storage.objects import (
    Bucket,
    Keyring,
    Objects,
    device_snapshots,
)
from tests.integration.ctl.conftest import KEYS
from tests.integration.storage.db.support import session_row
from tests.integration.storage.objects.support import make_store
from tests.support.commands import Ctl
from tests.support.copies import MemoryRegister
from tests.support.databases import execute
from tests.support.objects import settings_of


async def test_workers_and_sessions_are_listed(ctl: Ctl, database_url: str) -> None:
    """With their leases and owners; filters choose among the sessions."""
    async with Database(settings=DatabaseSettings(url=SecretStr(database_url))) as database:
        sessions = PostgresSessionStore(database=database)
        for name in ("a", "b"):
            await sessions.create(session_row(name, worker_id="alive"))
        for name in ("c", "e"):
            await sessions.create(session_row(name, worker_id="gone"))
        await sessions.create(session_row("d", worker_id="forgotten"))
        for name, capacity in (("alive", 7), ("gone", 9)):
            worker = PostgresWorkerStore(database=database, worker_id=name, lease_seconds=300)
            await worker.register(version="1.2.3", capacity=capacity)
        await worker.leave()

    await execute(database_url, "UPDATE sessions SET state = 'connected' WHERE id IN ('b', 'e')")
    workers = await ctl("fleet", "workers", "--json")
    assert workers.code == 0, workers.err
    alive, gone = workers.json
    assert (alive["id"], alive["lease"], alive["sessions"], alive["capacity"]) == (
        *("alive", "valid", 2, 7),
    )
    assert (gone["id"], gone["lease"], gone["sessions"]) == ("gone", "ended", 2)
    listed = await ctl("fleet", "sessions")
    assert [line.split()[:5] for line in listed.out.splitlines()] == [
        ["ID", "STATE", "RUNS", "DESIRED", "WORKER"],
        ["a", "created", "yes", "running", "alive"],
        ["b", "connected", "yes", "running", "alive"],
        ["c", "created", "moving", "running", "gone"],
        ["d", "created", "nobody", "running", "forgotten"],
        ["e", "unattended", "moving", "running", "gone"],
    ]
    assert "no worker can run" in listed.err
    one = await ctl("fleet", "sessions", "--worker", "gone", "--json")
    assert [(line["id"], line["epoch"], line["pending"]) for line in one.json] == [
        *(("c", 1, 0), ("e", 1, 0))
    ]
    assert [line["last_state"] for line in one.json] == ["created", "connected"]
    unattended = await ctl("fleet", "sessions", "--state", "unattended", "--json")
    assert [line["id"] for line in unattended.json] == ["e"]
    assert (
        await ctl("fleet", "sessions", "--state", "failed")
    ).out == "there are no such sessions\n"
    first = await ctl("fleet", "sessions", "--limit", "1")
    assert "more are not shown" in first.err
    assert (await ctl("fleet", "sessions", "--state", "asleep")).code == 2


async def test_a_database_that_does_not_answer_is_told(ctl: Ctl) -> None:
    """In a line."""
    answer = await ctl("fleet", "workers", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith("gateway-worker: ")
    assert "Traceback" not in answer.err


async def test_copies_are_sealed_again_under_the_first_key(
    ctl: Ctl, s3: ObjectStore, s3_prefix: str, database_url: str, tmp_path: Path
) -> None:
    """And a copy whose key is not given makes it a failure."""
    first, second = (f"{name}:{key}" for name, key in KEYS.items())
    settings = settings_of(s3, prefix=s3_prefix)
    make_store(tmp_path / "shop", "row")
    async with (
        Database(settings=DatabaseSettings(url=SecretStr(database_url))) as database,
        Objects.open(settings) as objects,
    ):
        bucket = Bucket(objects=objects)
        snapshots = device_snapshots(
            bucket=bucket,
            keyring=Keyring.parse(first),
            register=MemoryRegister(),
            fleet=await fleet_id(database),
        )
        assert await snapshots.save("shop", tmp_path / "shop", epoch=1)

    without = await ctl("snapshots", "rotate")
    assert without.code == 2
    assert "SNAPSHOT_KEYS" in without.err
    lost = await ctl("snapshots", "rotate", SNAPSHOT_KEYS=second)
    assert lost.code == 1
    assert "1 copies cannot be read" in lost.err
    done = await ctl("snapshots", "rotate", "--json", SNAPSHOT_KEYS=f"{second},{first}")
    assert (done.code, done.json["rotated"], done.json["unreadable"]) == (0, 1, 0)
    again = await ctl("snapshots", "rotate", SNAPSHOT_KEYS=second)
    assert again.out.startswith("rotated 0 of 1; 1 had the key already")
