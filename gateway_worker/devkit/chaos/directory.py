"""Where a run keeps what it leaves: data while it lasts, logs for whoever wants them."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog


@contextmanager
def run_directory(kept: Path | None) -> Iterator[Path]:
    """Keep everything in one directory, which is left only if that is wished."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="gateway-chaos-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def keep_libraries_quiet(directory: Path) -> None:
    """Send what libraries say to a file: connections are lost here all the time."""
    logging.basicConfig(filename=directory / "chaos.log", level=logging.INFO)
    structlog.configure(
        logger_factory=structlog.WriteLoggerFactory((directory / "chaos-own.log").open("a")),
    )
