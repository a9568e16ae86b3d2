"""What is said over and over is written in part, and counted."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway_worker.log import LogSettings, configure_logging, reset_logging
from gateway_worker.log.throttle import BURST, KINDS, WINDOW_SECONDS, Throttle


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


WARNING = {"level": "warning", "logger": "gateway_worker.x", "event": "it.failed"}


def test_a_flood_is_cut_and_counted() -> None:
    """So many per window; when that is over, how many were left out."""
    time = Time()
    throttle = Throttle(monotonic=time)
    admitted = sum(throttle.admits(WARNING) for _ in range(1000))
    time.now += WINDOW_SECONDS

    assert admitted == BURST
    (told,) = throttle.due()
    assert (told.event, told.times, told.level) == ("it.failed", 1000 - BURST, "warning")
    assert throttle.left_out == 1000 - BURST
    assert throttle.due() == []
    assert throttle.admits(WARNING)


def test_a_quiet_kind_is_forgotten() -> None:
    """Lines that come now and then are all written, and nothing is kept of them."""
    time = Time()
    throttle = Throttle(monotonic=time)
    for _ in range(3 * BURST):
        time.now += WINDOW_SECONDS / 4
        assert throttle.admits(WARNING)
    time.now += WINDOW_SECONDS
    assert throttle.due() == []
    assert not throttle._windows


@pytest.mark.parametrize(
    "other",
    [
        {**WARNING, "event": "it.failed_too"},
        {**WARNING, "logger": "gateway_worker.y"},
        {**WARNING, "session_id": "acme"},
        {**WARNING, "level": "info"},
    ],
)
def test_other_lines_are_not_in_the_flood(other: dict[str, str]) -> None:
    """Another event, logger or session has its own count; what is no trouble has none."""
    throttle = Throttle(monotonic=Time())
    for _ in range(BURST + 1):
        throttle.admits(WARNING)
    assert not throttle.admits(WARNING)
    assert throttle.admits(other)


def test_made_up_names_do_not_fill_the_log() -> None:
    """Beyond so many they are one kind, and what was there before keeps its own count."""
    time = Time()
    throttle = Throttle(monotonic=time)
    lines = [{**WARNING, "session_id": f"s{number}"} for number in range(3 * KINDS)]

    assert [throttle.admits(line) for line in lines].count(True) == KINDS + BURST
    assert throttle.admits(lines[0])
    time.now += WINDOW_SECONDS
    (told,) = throttle.due()
    assert (told.subject, told.times) == ("", 2 * KINDS - BURST)
    time.now += WINDOW_SECONDS
    throttle.due()
    assert throttle.admits(lines[-1])
    assert not throttle._windows.keys() - {("gateway_worker.x", "it.failed", "s12287")}


def test_made_up_events_do_not_fill_the_memory() -> None:
    """Libraries' texts are such; what is kept of them has a bound."""
    throttle = Throttle(monotonic=Time())
    for number in range(3 * KINDS):
        throttle.admits({**WARNING, "event": f"failed {number}"})

    assert len(throttle._windows) <= 2 * KINDS + 1


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Stand in for stdout."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield io.StringIO()
    reset_logging()
    root.handlers = handlers
    root.setLevel(level)


def test_the_pipeline_throttles_libraries_and_ourselves(stream: io.StringIO) -> None:
    """A library's flood (`accept` without descriptors) leaves room for other lines."""
    configure_logging(LogSettings(), fields={"worker_id": "w-0"}, stream=stream)
    for number in range(500):
        logging.getLogger("asyncio").error("accept failed: %d", number)
        structlog.get_logger("gateway_worker.x").warning("it.failed", number=number)
    structlog.get_logger("gateway_worker.x").warning("other")
    reset_logging()

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    events = [line["event"] for line in lines]
    assert events.count("library.message") == BURST
    assert events.count("it.failed") == BURST
    assert events.count("other") == 1
    told = {line["of"]: line for line in lines if line["event"] == "log.lines_repeated"}
    assert {event: line["times"] for event, line in told.items()} == {
        "library.message": 500 - BURST,
        "it.failed": 500 - BURST,
    }
    assert told["library.message"]["subject"] == "accept failed: %d"
    assert {line["worker_id"] for line in told.values()} == {"w-0"}
