"""The pipeline: every event becomes one safe line, whoever logged it."""

import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from gateway_worker.log import (
    LogFormat,
    LogLevel,
    LogSettings,
    configure_logging,
    current_level,
    reset_logging,
    set_level,
)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Stand in for stdout; logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield io.StringIO()
    reset_logging()
    root.handlers = handlers
    root.setLevel(level)


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Parse what was written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logger() -> Any:
    """Make a logger that nobody has used, and so cached, before."""
    return structlog.get_logger("gateway_worker.test")


def fail(error: Exception) -> None:
    """Raise an error from some depth."""
    raise error


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    """Time, level, event and logger, then what was given, bound and configured."""
    configure_logging(LogSettings(), fields={"worker_id": "w-0"}, stream=stream)

    with structlog.contextvars.bound_contextvars(session_id="acme"):
        logger().info("command.settled", outcome="succeeded", duration_seconds=0.25)

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "command.settled",
        "logger": "gateway_worker.test",
        "session_id": "acme",
        "outcome": "succeeded",
        "duration_seconds": 0.25,
        "worker_id": "w-0",
    }


def test_events_below_the_level_are_not_written(stream: io.StringIO) -> None:
    """The level is the least important event that is written."""
    configure_logging(LogSettings(level=LogLevel.WARNING), stream=stream)

    logger().info("quiet")
    logger().warning("loud")

    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_the_level_changes_while_loggers_are_used(stream: io.StringIO) -> None:
    """Also for one that has written already, and for libraries."""
    configure_logging(LogSettings(), stream=stream)
    used, library = logger(), logging.getLogger("some.library")
    used.debug("quiet")
    used.info("first")

    set_level(LogLevel.DEBUG)
    used.debug("second")
    assert current_level() is LogLevel.DEBUG
    set_level(LogLevel.ERROR)
    used.warning("quiet")
    library.warning("quiet")
    library.error("third")
    used.error("fourth")
    set_level(LogLevel.INFO)
    used.info("fifth")

    told = [line.get("message") or line["event"] for line in lines(stream)]
    assert told == ["first", "second", "third", "fourth", "fifth"]


def test_an_exception_is_text_without_secrets(stream: io.StringIO) -> None:
    """The traceback names the place, the cause and the group's members, and no local variables."""
    configure_logging(LogSettings(), stream=stream)
    password = "hunter2hunter2"

    try:
        try:
            fail(ConnectionError(f"amqp://gateway:{password}@broker/ refused +15550100001"))
        except ConnectionError as error:
            raise ExceptionGroup("several", [ValueError("15550100002@s.whatsapp.net")]) from error
    except ExceptionGroup:
        logger().exception("it.failed")

    (line,) = lines(stream)
    assert line["level"] == "error"
    assert "ConnectionError: amqp://gateway:[secret]@broker/ refused [phone#" in line["exception"]
    assert "test_pipeline.py" in line["exception"]
    for secret in (f"gateway:{password}", "15550100001", "15550100002"):
        assert secret not in stream.getvalue()


def test_libraries_go_the_same_way(stream: io.StringIO) -> None:
    """Their warnings are lines like ours; what is below a warning is not written."""
    configure_logging(LogSettings(level=LogLevel.DEBUG), fields={"worker_id": "w-0"}, stream=stream)

    library = logging.getLogger("botocore.auth")
    library.info("Signing with key %s", "abc")
    library.warning("retrying %s", "https://user:hunter2@s3.internal/")
    library.warning("broken %d", "format")

    first, second = lines(stream)
    assert first["logger"] == "botocore.auth"
    assert first["level"] == "warning"
    assert first["message"] == "retrying https://user:[secret]@s3.internal/"
    assert first["worker_id"] == "w-0"
    assert second["message"] == "broken %d"


@pytest.mark.parametrize(
    ("name", "error", "level"),
    [
        ("aiormq.connection", None, "warning"),
        ("asyncio", ConnectionResetError("by peer"), "warning"),
        ("asyncio", PermissionError("denied"), "error"),
        ("asyncio", None, "error"),
    ],
)
def test_the_end_of_a_connection_is_no_error(
    stream: io.StringIO, name: str, error: Exception | None, level: str
) -> None:
    """Libraries call it one; what it means the worker says itself. Any other error stays one."""
    configure_logging(LogSettings(), stream=stream)

    logging.getLogger(name).error("it failed", exc_info=error)

    assert [line["level"] for line in lines(stream)] == [level]


def test_what_is_less_than_it_was_called_may_be_too_little(stream: io.StringIO) -> None:
    """Who wants errors only gets no warnings."""
    configure_logging(LogSettings(level=LogLevel.ERROR), stream=stream)

    logging.getLogger("aiormq.connection").error("it failed")
    logging.getLogger("asyncio").error("it failed")

    assert [line["logger"] for line in lines(stream)] == ["asyncio"]


def test_warnings_of_python_are_events(stream: io.StringIO) -> None:
    """A deprecation in a library is visible in production."""
    configure_logging(LogSettings(), stream=stream)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)

    assert [line["logger"] for line in lines(stream)] == ["py.warnings"]


@pytest.mark.parametrize("value", ["\ud83d", 2**70, {1: "one"}, float("nan"), object()])
def test_any_value_can_be_written(stream: io.StringIO, value: Any) -> None:
    """Half a surrogate pair, a huge number or a strange object does not make logging fail."""
    configure_logging(LogSettings(), stream=stream)

    logger().info("odd", value=value)

    assert [line["event"] for line in lines(stream)] == ["odd"]


def test_a_dead_stream_does_not_hurt(stream: io.StringIO) -> None:
    """If nobody reads stdout any more, the worker goes on."""
    configure_logging(LogSettings(), stream=stream)
    stream.close()

    logger().info("unheard")


def test_a_terminal_gets_lines_for_people(stream: io.StringIO) -> None:
    """`auto` on a terminal is readable text, redacted like everything else."""
    terminal = Terminal()
    configure_logging(LogSettings(), stream=terminal)

    logger().info("session.connected", seen="+15550100001")
    try:
        fail(ValueError("to +15550100001"))
    except ValueError:
        logger().exception("it.failed")

    assert "session.connected" in terminal.getvalue()
    assert "ValueError" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    assert "15550100001" not in terminal.getvalue()


def test_the_format_can_be_forced(stream: io.StringIO) -> None:
    """JSON on a terminal, text in a pipe."""
    terminal = Terminal()
    configure_logging(LogSettings(format=LogFormat.JSON), stream=terminal)
    logger().info("one")
    configure_logging(LogSettings(format=LogFormat.CONSOLE), stream=stream)
    logger().info("two")

    assert lines(terminal)[0]["event"] == "one"
    assert not stream.getvalue().startswith("{")


def test_the_file_is_json_and_rotated(stream: io.StringIO, tmp_path: Path) -> None:
    """The file gets JSON even when stdout does not, and no more than its backups are kept."""
    file = tmp_path / "worker.log"
    settings = LogSettings(
        format=LogFormat.CONSOLE, file=file, file_max_bytes=10_000, file_backups=2
    )
    configure_logging(settings, stream=stream)

    for number in range(400):
        logger().info("filler", turn=number, padding="x" * 100)
    reset_logging()

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "worker.log",
        "worker.log.1",
        "worker.log.2",
    ]
    assert all(path.stat().st_size <= 10_000 for path in tmp_path.iterdir())
    assert json.loads(file.read_text().splitlines()[-1])["turn"] == 399


def test_a_file_that_cannot_be_opened_is_an_error(stream: io.StringIO, tmp_path: Path) -> None:
    """Better at the start than silently never."""
    with pytest.raises(OSError, match="missing"):
        configure_logging(LogSettings(file=tmp_path / "missing" / "worker.log"), stream=stream)


def test_what_nobody_catches_is_logged_and_redacted() -> None:
    """The interpreter's own traceback, which would show secrets, is replaced by an event."""
    code = (
        "from gateway_worker.log import *; configure_logging(LogSettings());"
        "raise ValueError('amqp://gateway:hunter2@broker/')"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    line = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert ended.stderr == ""
    assert line["event"] == "process.uncaught_exception"
    assert "amqp://gateway:[secret]@broker/" in line["exception"]
    assert "://gateway:hunter2" not in line["exception"]


@pytest.mark.parametrize(
    "wrong", [{"level": "verbose"}, {"file_max_bytes": 0}, {"file_backups": 0}, {"colour": "x"}]
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    """Settings are checked when they are made."""
    with pytest.raises(ValidationError):
        LogSettings.model_validate(wrong)
