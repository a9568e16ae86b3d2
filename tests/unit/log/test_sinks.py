"""Sinks that do not take what they are given: they cost lines, which are counted, and no time."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog

from gateway_worker.log import LogSettings, configure_logging, reset_logging, write_within
from gateway_worker.log import sinks as sinks_module
from gateway_worker.log.writer import Descriptor, LineWriter

PADDING = "x" * 1000


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    reset_logging()
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe: its reading end, and its writing end as a stream."""
    reading, writing = os.pipe()
    with ExitStack() as stack:
        stream = stack.enter_context(os.fdopen(writing, "w"))
        yield reading, stream


def _log_many(count: int) -> None:
    logger: Any = structlog.get_logger("gateway_worker.test")
    for number in range(count):
        logger.info("filler", turn=number, padding=PADDING)


def _lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def _read_all(descriptor: int) -> list[dict[str, Any]]:
    with os.fdopen(descriptor, "rb") as file:
        return _lines(file.read())


def _assert_complete(lines: list[dict[str, Any]], *, total: int, dropped: int) -> None:
    """Every line is there, in order, or counted as missing."""
    numbers = [line["turn"] for line in lines if line["event"] == "filler"]
    told = sum(line["lines"] for line in lines if line["event"] == "log.lines_dropped")
    assert numbers == sorted(set(numbers))
    assert len(numbers) + dropped == total
    assert told == dropped > 0


def test_a_pipe_that_nobody_reads_takes_no_time(pipe: tuple[int, TextIO]) -> None:
    """Whoever logs goes on; what waits is written when somebody reads again."""
    reading, stream = pipe
    logs = configure_logging(LogSettings(), stream=stream)
    _log_many(300)

    got: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: got.extend(_read_all(reading)))
    reader.start()
    logs.flush(30)
    stream.close()
    reader.join()

    assert [line["turn"] for line in got] == list(range(300))
    assert logs.sinks.dropped("stdout") == 0


def test_what_is_too_much_is_dropped_and_told(pipe: tuple[int, TextIO]) -> None:
    """The queue has a bound; in place of what is missing stands how much it was."""
    reading, stream = pipe
    writer = LineWriter(
        name="pipe",
        sink=Descriptor(stream.fileno()),
        notice=lambda lines: json.dumps({"event": "log.lines_dropped", "lines": lines}),
        limit_bytes=200_000,
    )
    for number in range(2000):
        writer.submit(json.dumps({"event": "filler", "turn": number, "padding": PADDING}))

    got: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: got.extend(_read_all(reading)))
    reader.start()
    writer.flush(30)
    writer.submit(json.dumps({"event": "filler", "turn": 2000}))
    writer.close(30)
    stream.close()
    reader.join()

    assert got[-1]["turn"] == 2000
    _assert_complete(got, total=2001, dropped=writer.dropped)


def test_a_reader_that_has_gone_is_counted(pipe: tuple[int, TextIO], tmp_path: Path) -> None:
    """And the other sink gets everything."""
    reading, stream = pipe
    os.close(reading)
    logs = configure_logging(LogSettings(file=tmp_path / "worker.log"), stream=stream)
    _log_many(50)
    logs.flush(10)

    assert logs.sinks.dropped("stdout") == 50
    assert logs.sinks.dropped("file") == 0
    assert len(_lines((tmp_path / "worker.log").read_bytes())) == 50


def test_a_full_disk_is_counted(pipe: tuple[int, TextIO]) -> None:
    """The file takes nothing; stdout gets everything, and nothing else is said there."""
    reading, stream = pipe
    logs = configure_logging(LogSettings(file=Path("/dev/full")), stream=stream)
    _log_many(20)
    logs.flush(10)
    stream.close()

    assert [line["turn"] for line in _read_all(reading)] == list(range(20))
    assert logs.sinks.dropped("file") == 20
    assert logs.sinks.dropped("stdout") == 0


def test_a_file_that_hangs_holds_nothing_up(pipe: tuple[int, TextIO], tmp_path: Path) -> None:
    """A pipe that is full stands for a disk that does not answer."""
    path = tmp_path / "worker.log"
    os.mkfifo(path)
    hanging = os.open(path, os.O_RDWR)
    reading, stream = pipe
    got: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: got.extend(_read_all(reading)))
    reader.start()
    logs = configure_logging(LogSettings(file=path), stream=stream)
    _log_many(300)
    logs.sinks._writers["stdout"].flush(30)
    reset_logging()
    stream.close()
    reader.join()

    try:
        assert [line["turn"] for line in got] == list(range(300))
    finally:
        os.close(hanging)


def test_a_file_that_cannot_be_opened_in_time_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe without a reader would be waited for for ever."""
    monkeypatch.setattr(sinks_module, "OPEN_SECONDS", 0.05)
    os.mkfifo(tmp_path / "worker.log")

    with pytest.raises(OSError, match="cannot be opened within"):
        configure_logging(LogSettings(file=tmp_path / "worker.log"))

    os.close(os.open(tmp_path / "worker.log", os.O_RDONLY))  # the thread has its reader, and ends


def test_a_line_torn_by_a_full_disk_spoils_no_other(tmp_path: Path) -> None:
    """What a disk took of a line is ended before the next one begins."""
    path = tmp_path / "worker.log"
    code = (
        "import resource, signal, sys; from gateway_worker.log import *; import structlog;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from pathlib import Path;"
        "logs = configure_logging(LogSettings(file=Path(sys.argv[1])));"
        "soft = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, -1));"
        "soft(300); log = structlog.get_logger();"
        "[(log.info('early', turn=n), logs.flush(5)) for n in range(5)];"
        "soft(-1); log.info('late'); logs.flush(5)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, stdout=subprocess.DEVNULL)

    lines = path.read_text().splitlines()
    torn = [line for line in lines if not line.endswith("}")]
    assert len(torn) == 1
    whole = [json.loads(line) for line in lines if line not in torn]
    assert [line["event"] for line in whole][-2:] == ["log.lines_dropped", "late"]
    assert sum(line["event"] == "early" for line in whole) + whole[-2]["lines"] == 5


@pytest.mark.parametrize("broken", ["stdout", "stderr"])
def test_a_process_ends_although_nobody_reads(broken: str) -> None:
    """Neither its last lines nor what nobody has caught keep it."""
    code = (
        "from gateway_worker.log import *; import structlog, sys, os;"
        "os.set_blocking(2, False);"
        "\ntry:\n    while sys.argv[1] == 'stderr': os.write(2, b'x' * 4096)"
        "\nexcept BlockingIOError: os.set_blocking(2, True)\n"
        "configure_logging(LogSettings());"
        "[structlog.get_logger().info('filler', padding='x' * 1000) for _ in range(500)];"
        "raise ValueError('the end')"
    )
    reading, writing = os.pipe()
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    ended = subprocess.run(
        [sys.executable, "-c", code, broken],
        check=False,
        timeout=20,
        **{**streams, broken: writing},
    )
    os.close(reading)
    os.close(writing)

    assert ended.returncode == 1


def test_a_closed_stdout_is_none(tmp_path: Path) -> None:
    """A process that is started without one logs to its file."""
    path = tmp_path / "worker.log"
    code = (
        "import sys; from pathlib import Path; from gateway_worker.log import *; import structlog;"
        "configure_logging(LogSettings(file=Path(sys.argv[1])));"
        "structlog.get_logger().info('heard')"
    )
    subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", code, str(path)], check=True
    )

    assert [line["event"] for line in _lines(path.read_bytes())] == ["heard"]


def test_what_a_thread_does_not_catch_is_a_line(pipe: tuple[int, TextIO]) -> None:
    """The interpreter would write it to stderr, with what it has of secrets."""
    reading, stream = pipe
    logs = configure_logging(LogSettings(), stream=stream)

    def fail() -> None:
        raise ValueError("amqp://gateway:hunter2@broker/")

    failing = threading.Thread(target=fail, name="failing")
    failing.start()
    failing.join()
    logs.flush(10)
    stream.close()

    (line,) = _read_all(reading)
    assert (line["event"], line["thread"]) == ("thread.uncaught_exception", "failing")
    assert "hunter2@" not in line["exception"]


def test_last_words_are_written_if_they_are_taken() -> None:
    """In bounded time, and in part if need be."""
    reading, writing = os.pipe()
    assert write_within(writing, "the end\n", seconds=5)
    assert os.read(reading, 100) == b"the end\n"
    assert not write_within(writing, "x" * 1_000_000, seconds=0.05)
    os.close(reading)
    assert not write_within(writing, "the end\n", seconds=5)
    os.close(writing)
