"""The processes that look at files: what they can do, and that they end, whoever else does."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

from gateway_worker.errors import DependencyError, MediaRefusedError
from gateway_worker.media.inspection import helpers as helping
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.media.inspection.inspector import Inspector
from gateway_worker.media.inspection.protocol import Answer, Limits, Page, Question
from tests.support import samples
from tests.support.eventually import eventually
from tests.support.refused_calls import PROBE, REFUSED, STILL_TAKEN, TAKEN_OF_HOSTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024
SECONDS = 60
"""More than any of these takes."""


def at_work(helpers: Helpers) -> list[psutil.Process]:
    """Return the processes that look at a file just now."""
    return [] if helpers.pid is None else psutil.Process(helpers.pid).children(recursive=True)


def names_in(directory: Path) -> list[str]:
    """Return what lies in a directory."""
    return [entry.name for entry in directory.iterdir()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def looking(
    inspector: Inspector, helpers: Helpers, directory: Path
) -> AsyncIterator[tuple[asyncio.Task[object], int]]:
    """Have a file looked at that never comes; gives the task and the process."""
    os.mkfifo(directory / "slow")
    task = asyncio.create_task(
        inspector.inspect(directory / "slow", "image", owner="support", limit_bytes=MIB)
    )
    try:
        (process,) = await eventually(lambda: at_work(helpers), timeout_seconds=SECONDS)
        yield task, process.pid
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_they_are_forked_from_starts_with_the_first_file(tmp_path: Path) -> None:
    """It stays for the others; a worker that sends none has none."""
    path = samples.stored(tmp_path, "file", samples.picture())
    async with Helpers() as helpers:
        inspector = Inspector(helpers=helpers)
        pids = [helpers.pid]
        for _ in range(2):
            assert (
                await inspector.inspect(path, "image", owner="support", limit_bytes=MIB)
            ).width == 64
            pids.append(helpers.pid)
        assert pids[0] is None
        assert pids[1] == pids[2]
        assert pids[1] is not None
    assert not alive(pids[1])
    with pytest.raises(DependencyError):
        await inspector.inspect(path, "image", owner="support", limit_bytes=MIB)
    assert names_in(tmp_path) == [path.name]


async def test_another_is_started_when_it_has_died(helpers: Helpers, tmp_path: Path) -> None:
    """For the next file, whether that has been noticed by then or not."""
    path = samples.stored(tmp_path, "file", samples.picture())
    inspector = Inspector(helpers=helpers)
    await inspector.inspect(path, "image", owner="support", limit_bytes=MIB)
    first = helpers.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert (await inspector.inspect(path, "image", owner="support", limit_bytes=MIB)).width == 64
    assert helpers.pid not in (None, first)


async def test_a_file_that_is_looked_at_when_it_dies(helpers: Helpers, tmp_path: Path) -> None:
    """Its process dies, too; it is nothing that the file has done."""
    async with looking(Inspector(helpers=helpers), helpers, tmp_path) as (task, pid):
        assert helpers.pid is not None
        os.kill(helpers.pid, signal.SIGKILL)
        with pytest.raises(DependencyError):
            await task
        await eventually(lambda: not alive(pid), timeout_seconds=SECONDS)
    assert names_in(tmp_path) == ["slow"]


async def test_a_process_that_is_killed_by_somebody_else(helpers: Helpers, tmp_path: Path) -> None:
    """As by a machine without memory; what it was forked from goes on."""
    async with looking(Inspector(helpers=helpers), helpers, tmp_path) as (task, pid):
        first = helpers.pid
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(DependencyError):
            await task
        assert helpers.pid == first


async def test_closing_ends_what_is_at_work(tmp_path: Path) -> None:
    """Nothing is left of it."""
    async with Helpers() as helpers:
        inspector = Inspector(helpers=helpers)
        async with looking(inspector, helpers, tmp_path) as (task, pid):
            await helpers.__aexit__(None, None, None)
            with pytest.raises(DependencyError):
                await task
            await eventually(lambda: not alive(pid), timeout_seconds=SECONDS)
    assert names_in(tmp_path) == ["slow"]


async def test_a_file_that_keeps_its_reader_waiting(helpers: Helpers, tmp_path: Path) -> None:
    """Its process is killed, and is gone then."""
    os.mkfifo(tmp_path / "file")
    inspector = Inspector(helpers=helpers, wall_seconds=1)
    with pytest.raises(MediaRefusedError):
        await inspector.inspect(tmp_path / "file", "image", owner="support", limit_bytes=MIB)
    assert at_work(helpers) == []
    assert names_in(tmp_path) == ["file"]


async def test_an_inspection_that_is_given_up(helpers: Helpers, tmp_path: Path) -> None:
    """Its process is killed, and its directory removed."""
    async with looking(Inspector(helpers=helpers), helpers, tmp_path) as (task, pid):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert not alive(pid)
    assert at_work(helpers) == []
    assert names_in(tmp_path) == ["slow"]


async def test_only_so_many_at_once(helpers: Helpers, tmp_path: Path) -> None:
    """The others wait for their turn."""
    inspector = Inspector(helpers=helpers, at_once=1)
    path = samples.stored(tmp_path, "file", samples.picture())
    async with looking(inspector, helpers, tmp_path) as (first, _):
        second = asyncio.create_task(
            inspector.inspect(path, "image", owner="support", limit_bytes=MIB)
        )
        await asyncio.sleep(0)
        assert len(at_work(helpers)) == 1
        first.cancel()
        assert (await second).width == 64


WORKER = """
import asyncio, json, sys
from pathlib import Path
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.media.inspection.inspector import Inspector

async def main():
    async with Helpers() as helpers:
        looking = asyncio.create_task(
            Inspector(helpers=helpers).inspect(
                Path(sys.argv[1]), "image", owner="support", limit_bytes=1
            )
        )
        while helpers.pid is None:
            await asyncio.sleep(0.01)
        print(helpers.pid, flush=True)
        await looking

asyncio.run(main())
"""


async def test_a_killed_worker_leaves_nothing(tmp_path: Path) -> None:
    """Neither what they are forked from nor what looks at a file, although nobody told them."""
    os.mkfifo(tmp_path / "slow")
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, str(tmp_path / "slow"), stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout is not None
    while not (line := await worker.stdout.readline()).strip().isdigit():
        pass
    first = psutil.Process(int(line))
    (second,) = await eventually(first.children, timeout_seconds=SECONDS)

    worker.kill()
    await worker.wait()

    await eventually(
        lambda: not alive(first.pid) and not alive(second.pid), timeout_seconds=SECONDS
    )


def question(directory: Path, **limits: int) -> Question:
    """Return a question about the file `file`, with a directory to write in."""
    (directory / "scratch").mkdir()
    limits = {
        "cpu_seconds": SECONDS,
        "wall_seconds": SECONDS,
        "memory_bytes": 512 * MIB,
        "output_bytes": 1000,
        "pixels": 1,
        **limits,
    }
    return Question(
        path=str(directory / "file"),
        scratch=str(directory / "scratch"),
        kind="image",
        file_name=None,
        limits=Limits(**limits),
    )


async def asked(code: str, asking: Question) -> Page:
    """Have a process do something else than to look at a file; returns what it says."""
    program = f"""
import sys
import gateway_worker.media.inspection.__main__ as program
from gateway_worker.media.inspection.protocol import Page
{code}
program.inspect = lambda question: Page(title=None, description=look(question), image=None)
program.main()
"""
    async with Helpers(("-I", "-c", program)) as helpers:
        status, said = await helpers.ask(msgspec.json.encode(asking), seconds=SECONDS)
        assert status == 0
        answer = msgspec.json.decode(said, type=Answer)
        assert isinstance(answer, Page), answer
        return answer


CONFINED = f"""
{PROBE}
import socket, subprocess
from pathlib import Path

def refused(what):
    try:
        what()
    except OSError:
        return True
    return False

def look(question):
    other = Path(question.path).with_name("other")
    assert Path(question.path).read_bytes() == b"file"
    assert refused(lambda: Path(question.path).write_bytes(b"x"))
    assert refused(other.read_bytes)
    assert refused(lambda: other.write_bytes(b"x"))
    assert refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    assert refused(lambda: socket.socket(socket.AF_UNIX))
    assert refused(lambda: subprocess.run(["/bin/true"]))
    assert refused(lambda: os.kill(os.getppid(), 0))
    assert of({REFUSED}, True) == [], of({REFUSED}, True)
    assert of({TAKEN_OF_HOSTS}, True) == [], of({TAKEN_OF_HOSTS}, True)
    assert of({STILL_TAKEN}, False) == [], of({STILL_TAKEN}, False)
    most = question.limits.output_bytes
    assert refused(lambda: Path(question.scratch, "a").write_bytes(bytes(most + 1)))
    Path(question.scratch, "b").write_bytes(bytes(most))
    try:
        bytes(question.limits.memory_bytes)
    except MemoryError:
        return "confined"
    raise AssertionError("as much memory as it likes")
"""


async def test_what_a_process_can_still_do(tmp_path: Path) -> None:
    """Read its file, write beside it, and nothing else: it acts on no other process."""
    samples.stored(tmp_path, "file", b"file")
    samples.stored(tmp_path, "other", b"other")
    assert (await asked(CONFINED, question(tmp_path))).description == "confined"


STATE = """
import ctypes, json, os, resource, stat
from pathlib import Path

def look(question):
    descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
    kinds = {}
    for descriptor in descriptors:
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:  # that of the listing itself
            continue
        kinds[descriptor] = "socket" if stat.S_ISSOCK(mode) else os.readlink(
            f"/proc/self/fd/{descriptor}"
        )
    return json.dumps({
        "descriptors": sorted(kinds.values()),
        "environment": sorted(os.environ),
        "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
        "leads": os.getsid(0) == os.getpid(),
        "nice": os.nice(0),
        "cpu": resource.getrlimit(resource.RLIMIT_CPU)[0],
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "dies_first": Path("/proc/self/oom_score_adj").read_text().strip(),
    })
"""


async def test_what_a_process_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One socket, no secret, nobody who may look into it, and limits."""
    monkeypatch.setenv("AMQP_URL", "amqp://user:password@host")
    samples.stored(tmp_path, "file", b"file")
    said = (await asked(STATE, question(tmp_path, cpu_seconds=9))).description
    assert said is not None
    state = json.loads(said)
    nowhere = "/dev/null"
    assert state.pop("descriptors") == [nowhere, nowhere, nowhere, "socket"]
    assert "AMQP_URL" not in state["environment"]
    assert "PATH" in state["environment"]
    assert set(state.pop("environment")) <= {*helping._PASSED_ON, "LANG", "MALLOC_ARENA_MAX"}
    assert state.pop("nice") >= 10
    assert state == {
        "dumpable": 0,
        "leads": True,
        "cpu": 9,
        "files": 64,
        "dies_first": "1000",
    }


FORKING = """
import os, signal

program.give_up = lambda question: None  # as where the kernel takes no filter

def look(question):
    child = os.fork()
    if child == 0:
        os.closerange(0, 64)
        while True:
            signal.pause()
    return str(child)
"""


async def test_what_a_process_has_started_ends_with_it(tmp_path: Path) -> None:
    """Should it be able to start anything, and have been taken over by the file."""
    samples.stored(tmp_path, "file", b"file")
    said = (await asked(FORKING, question(tmp_path))).description
    assert said is not None
    await eventually(lambda: not alive(int(said)), timeout_seconds=SECONDS)


WAITING = """
import sys, msgspec
from gateway_worker.media.inspection.limits import give_up
from gateway_worker.media.inspection.protocol import Question

question = msgspec.json.decode(sys.argv[1].encode(), type=Question)
give_up(question)
open(question.path)
"""


async def test_a_process_without_a_worker_ends_by_itself(tmp_path: Path) -> None:
    """Its own alarm ends it, should nothing else do."""
    os.mkfifo(tmp_path / "file")
    asking = msgspec.json.encode(question(tmp_path, wall_seconds=1)).decode()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WAITING, asking)
    assert await process.wait() == -signal.SIGALRM
