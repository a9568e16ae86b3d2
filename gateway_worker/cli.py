"""The command `gateway-worker`.

Exit codes: 0 done; 1 it failed; 2 wrong arguments or wrong configuration; 130 interrupted.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from gateway_worker.errors import ConfigurationError, GatewayError
from gateway_worker.version import VERSION

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

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
        epilog="Settings come from the environment; .env.example describes each of them.",
    )
    parser.add_argument("--version", action="version", version=f"gateway-worker {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the worker until SIGTERM, then drain and leave")
    run.set_defaults(command=_run)

    migrate = commands.add_parser("migrate", help="bring the database's schema up to date")
    migrate.set_defaults(command=_migrate)

    check = commands.add_parser(
        "check", help="check the settings and that every service can be reached, then leave"
    )
    check.add_argument(
        "--settings-only", action="store_true", help="check the settings, contact no service"
    )
    check.set_defaults(command=_check)

    for name, module, text in _WITH_MODULES:
        further = commands.add_parser(name, help=text)
        if name in words:  # no other command should pay for importing it
            further.set_defaults(command=import_module(module).main)
            import_module(module).add_arguments(further)
    return parser


def _run(_arguments: argparse.Namespace) -> int:
    import uvloop  # noqa: PLC0415

    from gateway_worker.app import run  # noqa: PLC0415
    from gateway_worker.config import load_settings  # noqa: PLC0415
    from gateway_worker.config.wiping import wipe_secrets  # noqa: PLC0415
    from gateway_worker.whatsapp.confinement import keep_private  # noqa: PLC0415

    keep_private()
    settings = load_settings()
    wipe_secrets()
    uvloop.run(run(settings))
    return 0


def _migrate(_arguments: argparse.Namespace) -> int:
    from gateway_worker.config import load_settings  # noqa: PLC0415
    from gateway_worker.storage.db.migrate import upgrade  # noqa: PLC0415

    settings = load_settings()
    url = settings.migrations_url or settings.database.url
    asyncio.run(upgrade(url.get_secret_value()))
    print("the database's schema is up to date")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from gateway_worker.app import check  # noqa: PLC0415
    from gateway_worker.config import load_settings  # noqa: PLC0415

    settings = load_settings()
    print(settings.describe())
    if arguments.settings_only:
        return 0
    problems = asyncio.run(check(settings))
    for problem in problems:
        print(problem, file=sys.stderr)
    return EXIT_FAILED if problems else 0
