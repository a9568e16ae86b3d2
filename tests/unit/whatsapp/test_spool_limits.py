"""A spool that is full, closed or on a full disk makes the library wait, and loses nothing."""

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from gateway_worker.whatsapp.host.spool import SpoolClosedError
from tests.unit.whatsapp.spools import SEGMENT, OpenSpool, numbers, read_all


def test_a_full_spool_makes_the_writer_wait(open_spool: OpenSpool) -> None:
    """It goes on when the worker has caught up."""
    spool = open_spool(limit_bytes=1024)
    done = threading.Event()

    def write() -> None:
        for _ in range(100):
            spool.append(17, 0, b"x" * 50)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not done.is_set() or seen < 100:
        record = spool.read()
        if record is not None:
            seen = record.number
            assert spool.pending <= 1024 // 68 + SEGMENT // 68 + 2
            spool.acknowledge(seen)
    writer.join()

    assert seen == 100
    spool.close()


def test_closing_frees_a_writer_that_waits(open_spool: OpenSpool) -> None:
    """And tells it that its record is not stored."""
    spool = open_spool(limit_bytes=100)
    spool.append(17, 0, b"x" * 200)
    caught: list[Exception] = []

    def write() -> None:
        try:
            spool.append(17, 0, b"y")
        except SpoolClosedError as error:
            caught.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    while not spool.stalled:
        pass
    spool.close()
    writer.join()

    assert len(caught) == 1


def test_a_host_that_leaves_takes_everything(open_spool: OpenSpool) -> None:
    """The writer that waits goes on, and no other one waits any more."""
    spool = open_spool(limit_bytes=100)
    while spool.append(17, 0, b"x" * 60) < 2:
        pass
    writer = threading.Thread(target=lambda: spool.append(17, 0, b"y" * 60), daemon=True)
    writer.start()
    writer.join(0.1)
    assert writer.is_alive()

    spool.lift_limit()

    writer.join(10)
    assert not writer.is_alive()
    for _ in range(20):
        spool.append(17, 0, b"z" * 60)
    assert numbers(spool) == list(range(1, 24))
    spool.close()


def test_one_record_above_the_limit(open_spool: OpenSpool) -> None:
    """It is taken, and once it is acknowledged there is room again."""
    spool = open_spool(limit_bytes=100)
    spool.append(17, 0, b"x" * 5_000)
    spool.acknowledge(1)

    assert spool.append(17, 0, b"y") == 2
    spool.close()


WRITE_UNTIL_REFUSED = """
import sys, threading, resource, signal
from pathlib import Path
from gateway_worker.whatsapp.host.spool import Spool

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool.open(
    directory=Path(sys.argv[1]), limit_bytes=10**9, segment_bytes=10**9, sync=False
)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))

def relax():
    while not spool.stalled:
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

threading.Thread(target=relax).start()
for number in range(50):
    spool.append(17, 0, b"%03d" % number * 20)
assert spool.stalled
"""


def test_a_disk_that_refuses_is_asked_again(open_spool: OpenSpool, tmp_path: Path) -> None:
    """No record is lost or half written when the disk was full for a while."""
    subprocess.run([sys.executable, "-c", WRITE_UNTIL_REFUSED, str(tmp_path)], check=True)
    spool = open_spool()

    assert [record.payload[:3] for record in read_all(spool)] == [b"%03d" % n for n in range(50)]
    assert spool.damaged_bytes == 0
    spool.close()


ACKNOWLEDGE_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from gateway_worker.whatsapp.host.spool import Spool

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool.open(
    directory=Path(sys.argv[1]), limit_bytes=10**9, segment_bytes=10**9, sync=False
)
spool.append(17, 0, b"one")
spool.append(17, 0, b"two")
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
spool.acknowledge(spool.read().number)
assert spool.pending == 1
assert spool.read().payload == b"two"
"""


def test_an_acknowledgement_that_the_disk_refuses(open_spool: OpenSpool, tmp_path: Path) -> None:
    """It is good until the process ends; afterwards the record comes once more."""
    code = ACKNOWLEDGE_ON_A_FULL_DISK
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    spool = open_spool()

    assert [record.payload for record in read_all(spool)] == [b"one", b"two"]
    spool.close()


WRITE_AND_TELL = """
import os, sys
from pathlib import Path
from gateway_worker.whatsapp.host.spool import Spool

spool = Spool.open(directory=Path(sys.argv[1]), limit_bytes=10**9, segment_bytes=2000, sync=False)
while True:
    number = spool.append(17, 0, os.urandom(200))
    os.write(1, b"%d\\n" % number)
"""


def test_what_a_killed_process_had_stored_is_there(open_spool: OpenSpool, tmp_path: Path) -> None:
    """SIGKILL in the middle of writing: every number that was told can be read."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_TELL, str(tmp_path)], stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(500)]
        process.send_signal(signal.SIGKILL)
        with suppress(ValueError):
            told += [int(line) for line in process.stdout]
    spool = open_spool()

    found = numbers(spool)

    assert found[: len(told)] == told
    assert len(found) - len(told) <= 1
    spool.close()
