"""`run`, `migrate` and `check`: what a deployment calls; what they need is imported then."""

import asyncio
import gc
import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from gateway_worker.cli.exit_codes import EXIT_FAILED, EXIT_USAGE

STDERR = 2
_LAST_WORDS_SECONDS = 1.0
"""How long the last line may take to be written; nobody may be reading."""


@contextmanager
def importing() -> Iterator[None]:
    """Keep the collector from walking what is imported: again and again, a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def import_worker() -> None:
    """Import what a worker is made of."""
    _leave_out_colours()
    with importing():
        import uvloop  # noqa: F401, PLC0415

        import gateway_worker.app  # noqa: PLC0415
        import gateway_worker.config.wiping  # noqa: F401, PLC0415


def _leave_out_colours() -> None:
    """Spare a worker 5 MiB: the log's library imports it for tracebacks that no worker writes."""
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]


def run_worker() -> NoReturn:
    """Run the worker until it is told to stop; ends the process."""
    _leave_out_colours()
    from gateway_worker.runtime.signals import leave_on_signals  # noqa: PLC0415

    leave_on_signals()  # nothing has begun yet
    _occupy_standard_streams()
    # Look-ups of names take one of these threads each; with four of them, the database's would wait
    # behind those of services whose name server says nothing.
    os.environ.setdefault("UV_THREADPOOL_SIZE", "16")
    import_worker()
    import uvloop  # noqa: PLC0415

    from gateway_worker.app import run  # noqa: PLC0415
    from gateway_worker.config import load_settings  # noqa: PLC0415
    from gateway_worker.config.wiping import wipe_secrets  # noqa: PLC0415
    from gateway_worker.runtime.confinement import keep_private  # noqa: PLC0415

    async def until_left() -> None:
        _leave(*await _outcome(run(settings)))

    keep_private()
    settings = load_settings()
    wipe_secrets()
    uvloop.run(until_left())
    raise AssertionError("the worker has left")


async def _outcome(work: Coroutine[Any, Any, None]) -> tuple[int, str]:
    """Return the exit code and the last words of a worker."""
    from gateway_worker.errors import ConfigurationError, GatewayError  # noqa: PLC0415

    try:
        await work
    except ConfigurationError as error:
        return EXIT_USAGE, str(error)
    except GatewayError as error:
        return EXIT_FAILED, str(error)
    except Exception as error:  # noqa: BLE001 - the root of the process: the log has it all
        sys.excepthook(type(error), error, error.__traceback__)
        return EXIT_FAILED, f"it failed: {type(error).__name__}"
    return 0, ""


def _leave(code: int, words: str) -> NoReturn:
    """End the process from within its event loop.

    The interpreter's usual end waits for every thread, and one of them may be stuck: in a look-up
    of a name, on a disk, in a pipe that nobody reads.
    """
    from gateway_worker.log import flush_logging, write_within  # noqa: PLC0415

    flush_logging(_LAST_WORDS_SECONDS)
    if words:
        write_within(STDERR, f"gateway-worker: {words}\n", seconds=_LAST_WORDS_SECONDS)
    os._exit(code)


def _occupy_standard_streams() -> None:
    """Have something open where input and output are expected.

    A process may be started without. The next file or connection would get that number, and what
    is printed would be written into it.
    """
    descriptor = 0
    while descriptor <= STDERR:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def migrate() -> int:
    """Bring the database's schema up to date; returns the exit code."""
    with importing():
        from gateway_worker.config import load_settings  # noqa: PLC0415
        from gateway_worker.storage.db.migrate import upgrade  # noqa: PLC0415

    settings = load_settings()
    url = settings.migrations_url or settings.database.url
    asyncio.run(upgrade(url.get_secret_value()))
    print("the database's schema is up to date")
    return 0


def check_services(*, settings_only: bool) -> int:
    """Check the settings, and ask every service; ends the process once something was asked."""
    with importing():
        from gateway_worker.checking import check  # noqa: PLC0415
        from gateway_worker.config import load_settings  # noqa: PLC0415
        from gateway_worker.log import LogLevel, LogSettings, configure_logging  # noqa: PLC0415

    settings = load_settings()
    print(settings.describe())
    if settings_only:
        return 0
    configure_logging(LogSettings(level=LogLevel.ERROR), stream=sys.stderr)

    async def answer() -> NoReturn:
        found = await check(settings)
        print(*found, sep="\n", flush=True)
        # Not by the usual way: a look-up of a name may still be under way, and would be waited for.
        _leave(EXIT_FAILED if any(one.is_failure for one in found) else 0, "")

    asyncio.run(answer())
    raise AssertionError("the process has ended")
