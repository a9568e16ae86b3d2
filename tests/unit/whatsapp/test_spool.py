"""The spool loses nothing that it said it has, and never says what it does not have."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway_worker.whatsapp.host.spool import Record, Spool, SpoolClosedError

SEGMENT = 400


@pytest.fixture(name="open_spool")
def fixture_open_spool(tmp_path: Path) -> Callable[..., Spool]:
    """Return a way to open the test's spool."""

    def opener(**values: Any) -> Spool:
        defaults = {"limit_bytes": 10**6, "segment_bytes": SEGMENT, "sync": False}
        return Spool.open(directory=tmp_path, **defaults | values)

    return opener


OpenSpool = Callable[..., Spool]


def read_all(spool: Spool) -> list[Record]:
    """Read until there is nothing."""
    return list(iter(spool.read, None))


def numbers(spool: Spool) -> list[int]:
    """Read until there is nothing and return the numbers."""
    return [record.number for record in read_all(spool)]


@pytest.mark.parametrize("sync", [True, False])
def test_records_come_out_as_they_went_in(open_spool: OpenSpool, sync: bool) -> None:  # noqa: FBT001
    """In order, with code, flags and bytes, over several files."""
    spool = open_spool(sync=sync)
    payloads = [os.urandom(size) for size in (0, 1, 50, 900, 3)]

    for place, payload in enumerate(payloads):
        spool.append(17 + place, place, payload)

    assert read_all(spool) == [
        Record(number=place + 1, code=17 + place, flags=place, payload=payload)
        for place, payload in enumerate(payloads)
    ]
    spool.close()


def test_what_was_not_acknowledged_comes_again(open_spool: OpenSpool) -> None:
    """After a restart, before anything new."""
    first = open_spool()
    for _ in range(40):
        first.append(17, 0, b"x" * 20)
    assert numbers(first) == list(range(1, 41))
    first.acknowledge(13)
    first.close()

    second = open_spool()
    second.append(17, 0, b"new")

    assert numbers(second) == list(range(14, 42))
    assert second.pending == 28
    second.close()


def test_files_go_when_they_are_acknowledged(open_spool: OpenSpool, tmp_path: Path) -> None:
    """Nothing is left of what the worker has, and numbers go on."""
    spool = open_spool()
    for _ in range(100):
        spool.append(17, 0, b"x" * 20)
    spool.acknowledge(100)
    spool.close()
    again = open_spool()

    assert again.pending == 0
    assert again.append(17, 0, b"next") == 101
    assert len(list(tmp_path.glob("spool-*"))) == 1
    again.close()


def test_acknowledging_what_is_not_there(open_spool: OpenSpool) -> None:
    """Numbers from the future or the past do no harm."""
    spool = open_spool()
    spool.append(17, 0, b"x")
    spool.acknowledge(99)
    spool.acknowledge(0)

    assert spool.acknowledged == 1
    assert spool.append(17, 0, b"y") == 2
    assert numbers(spool) == [2]
    spool.close()


@settings(max_examples=60)
@given(cut=st.integers(0, 260))
def test_a_torn_tail_costs_only_what_was_being_written(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    """Cut anywhere: the records before the cut are there, the rest is gone, writing goes on."""
    directory = tmp_path_factory.mktemp("spool")
    values: dict[str, Any] = {"directory": directory, "limit_bytes": 10**6, "sync": False}
    spool = Spool.open(segment_bytes=10**6, **values)
    for size in range(10):
        spool.append(17, 0, bytes(size))
    spool.close()
    (file,) = directory.glob("spool-*")
    ends = [sum(18 + size for size in range(count)) for count in range(11)]
    os.truncate(file, min(cut, file.stat().st_size))

    again = Spool.open(segment_bytes=10**6, **values)

    whole = max(count for count, end in enumerate(ends) if end <= cut)
    assert numbers(again) == list(range(1, whole + 1))
    assert again.append(17, 0, b"on") == whole + 1
    assert numbers(again) == [whole + 1]
    again.close()


@settings(max_examples=60)
@given(place=st.integers(0, 224), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    """The damaged record and those behind it in its file are dropped and counted, none is wrong."""
    directory = tmp_path_factory.mktemp("spool")
    values: dict[str, Any] = {"directory": directory, "limit_bytes": 10**6, "sync": False}
    spool = Spool.open(segment_bytes=10**6, **values)
    sent = [bytes([size]) * size for size in range(10)]
    for payload in sent:
        spool.append(17, 0, payload)
    spool.close()
    (file,) = directory.glob("spool-*")
    data = bytearray(file.read_bytes())
    data[place] ^= 1 << bit
    file.write_bytes(data)

    again = Spool.open(segment_bytes=10**6, **values)

    got = [record.payload for record in read_all(again)]
    assert got == sent[: len(got)]
    assert len(got) < len(sent)
    assert again.damaged_bytes > 0
    again.close()


def test_a_damaged_file_does_not_take_the_next_one_along(
    open_spool: OpenSpool, tmp_path: Path
) -> None:
    """Records in later files are delivered."""
    spool = open_spool(segment_bytes=256)
    for _ in range(30):
        spool.append(17, 0, b"x" * 20)
    spool.close()
    first, second, *_ = sorted(tmp_path.glob("spool-*"))
    os.truncate(first, 100)

    again = open_spool()

    later = int(second.name.removeprefix("spool-"))
    assert numbers(again) == [1, 2, *range(later, 31)]
    again.close()


def test_a_lost_acknowledgement_file(open_spool: OpenSpool, tmp_path: Path) -> None:
    """Everything that is still there comes again: twice is better than never."""
    spool = open_spool()
    for _ in range(5):
        spool.append(17, 0, b"x")
    spool.acknowledge(3)
    spool.close()
    (tmp_path / "spool.ack").write_bytes(b"rubbish")

    again = open_spool()

    assert numbers(again) == [1, 2, 3, 4, 5]
    again.close()


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


class SpoolMachine(RuleBasedStateMachine):
    """Any order of appending, reading, acknowledging and restarting, against a plain list."""

    @initialize()
    def begin(self) -> None:
        """Start with an empty spool."""
        import tempfile  # noqa: PLC0415 - hypothesis makes one machine per example

        self.folder = tempfile.TemporaryDirectory()
        self.stored: list[bytes] = []
        self.acknowledged = 0
        self.read = 0
        self.open()

    def open(self) -> None:
        """Open the spool."""
        self.spool = Spool.open(
            directory=Path(self.folder.name), limit_bytes=10**6, segment_bytes=120, sync=False
        )

    @rule(payload=st.binary(max_size=60))
    def append(self, payload: bytes) -> None:
        """Store a record."""
        self.stored.append(payload)
        assert self.spool.append(1, 2, payload) == len(self.stored)

    @rule()
    def read_one(self) -> None:
        """Read the next record."""
        record = self.spool.read()
        if record is None:
            assert max(self.read, self.acknowledged) == len(self.stored)
            return
        self.read = max(self.read, self.acknowledged) + 1
        assert (record.number, record.payload) == (self.read, self.stored[self.read - 1])

    @rule(share=st.floats(0, 1))
    def acknowledge(self, share: float) -> None:
        """Acknowledge some of what was read."""
        number = int(self.read * share)
        self.spool.acknowledge(number)
        self.acknowledged = max(self.acknowledged, number)

    @rule()
    def restart(self) -> None:
        """Open it anew."""
        self.spool.close()
        self.read = self.acknowledged
        self.open()

    @invariant()
    def nothing_is_missing(self) -> None:
        """What is not acknowledged is pending."""
        if hasattr(self, "spool"):
            assert self.spool.pending == len(self.stored) - self.acknowledged

    def teardown(self) -> None:
        """Remove the files."""
        if hasattr(self, "spool"):
            self.spool.close()
            self.folder.cleanup()


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=60, stateful_step_count=40)
