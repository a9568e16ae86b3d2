"""The command `gateway-worker`.

The exit codes are in `EXIT_CODES`, which `--help` shows.
"""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from gateway_worker.errors import ConfigurationError, GatewayError
from gateway_worker.version import VERSION

STDERR = 2
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_FORCED = 3
EXIT_INTERRUPTED = 130
EXIT_CODES = """\
exit codes:
  0    done; for `run`: told to stop, and it has left in good order
  1    it failed: a service cannot be reached, or a part of the worker failed
  2    wrong arguments or wrong configuration: starting it again changes nothing
  3    told to stop, and ended by force: it had not left DRAIN_SECONDS and 9.5 s later
  130  interrupted (143 and 130 also after a second SIGTERM or SIGINT)
"""
_LAST_WORDS_SECONDS = 1.0
"""How long the last line may take to be written; nobody may be reading."""

Command = Callable[[argparse.Namespace], int]

_WITH_MODULES = (
    (
        "ctl",
        "gateway_worker.ctl",
        "look after a running fleet: dead letters, workers, sessions, snapshot keys",
    ),
    (
        "demo",
        "gateway_worker.devkit.demo",
        "a whole conversation on this machine, without phone or internet",
    ),
    (
        "sandbox",
        "gateway_worker.sandbox.cli",
        "the local server that speaks the WhatsApp protocol, with simulated phones",
    ),
)
"""Commands that have a module of their own: name, module, help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parsed = _parser(words).parse_args(words)
    command: Command = parsed.command
    try:
        return command(parsed)
    except ConfigurationError as error:
        print(f"gateway-worker: {error}", file=sys.stderr)
        return EXIT_USAGE
    except GatewayError as error:
        print(f"gateway-worker: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway-worker",
        description="Holds many WhatsApp connections for backends that speak RabbitMQ.",
        epilog="Settings come from the environment; .env.example describes each of them.\n\n"
        + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gateway-worker {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the worker until SIGTERM, then drain and leave")
    run.set_defaults(command=_run)

    migrate = commands.add_parser("migrate", help="bring the database's schema up to date")
    migrate.set_defaults(command=_migrate)

    check = commands.add_parser(
        "check",
        help="check the settings and ask every service, in five seconds; 1 if a worker would not"
        " be ready",
    )
    check.add_argument(
        "--settings-only", action="store_true", help="check the settings, contact no service"
    )
    check.set_defaults(command=_check)

    for name, module, text in _WITH_MODULES:
        further = commands.add_parser(name, help=text)
        if name in words:  # no other command should pay for importing it
            imported = _imported(module, further)
            further.set_defaults(command=imported.main)
            imported.add_arguments(further)
    return parser


def _imported(module: str, parser: argparse.ArgumentParser) -> ModuleType:
    """Import a command's module; the image goes without the developer's tools."""
    try:
        with _importing():
            return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        parser.error("this installation has no developer's tools (gateway_worker.devkit)")


@contextmanager
def _importing() -> Iterator[None]:
    """Keep the collector from walking what is imported: again and again, a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _run(_arguments: argparse.Namespace) -> NoReturn:
    from gateway_worker.runtime.signals import leave_on_signals  # noqa: PLC0415

    leave_on_signals()  # nothing has begun yet
    _occupy_standard_streams()
    # Look-ups of names take one of these threads each; with four of them, the database's would wait
    # behind those of services whose name server says nothing.
    os.environ.setdefault("UV_THREADPOOL_SIZE", "16")
    with _importing():
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


def _migrate(_arguments: argparse.Namespace) -> int:
    with _importing():
        from gateway_worker.config import load_settings  # noqa: PLC0415
        from gateway_worker.storage.db.migrate import upgrade  # noqa: PLC0415

    settings = load_settings()
    url = settings.migrations_url or settings.database.url
    asyncio.run(upgrade(url.get_secret_value()))
    print("the database's schema is up to date")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    with _importing():
        from gateway_worker.checking import check  # noqa: PLC0415
        from gateway_worker.config import load_settings  # noqa: PLC0415
        from gateway_worker.log import LogLevel, LogSettings, configure_logging  # noqa: PLC0415

    settings = load_settings()
    print(settings.describe())
    if arguments.settings_only:
        return 0
    configure_logging(LogSettings(level=LogLevel.ERROR), stream=sys.stderr)

    async def answer() -> NoReturn:
        found = await check(settings)
        print(*found, sep="\n", flush=True)
        # Not by the usual way: a look-up of a name may still be under way, and would be waited for.
        _leave(EXIT_FAILED if any(one.is_failure for one in found) else 0, "")

    asyncio.run(answer())
    raise AssertionError("the process has ended")
