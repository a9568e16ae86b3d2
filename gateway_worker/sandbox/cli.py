"""The command `gateway-worker sandbox`: the sandbox as a process of its own.

It prints one JSON line on standard output once everything listens (and writes the same line to
`--ready-file`, whole or not at all); logs go to standard error. SIGTERM, SIGINT or, with
`--exit-with-stdin`, the end of standard input stop it. Only `add_arguments` is needed by other
commands, so everything heavy is imported when the sandbox runs.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from gateway_worker.sandbox.control.models import Ready
    from gateway_worker.sandbox.settings import SandboxSettings

EXIT_REFUSED: Final = 2
EXIT_FAILED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    for name, what in (("--proxy-port", "CONNECT proxy"), ("--control-port", "control API")):
        parser.add_argument(
            name,
            type=int,
            default=0,
            metavar="PORT",
            help=f"port of the {what}; 0 picks a free one",
        )
    parser.add_argument(
        "--control-token-file", type=Path, metavar="FILE", help="holds the API's bearer token"
    )
    parser.add_argument(
        "--directory", type=Path, metavar="DIR", help="for certificates; default: a temporary one"
    )
    parser.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="written once everything listens"
    )
    parser.add_argument(
        "--phone",
        action="append",
        default=[],
        metavar="NUMBER[:NAME]",
        help="add a phone at once; may be repeated",
    )
    parser.add_argument(
        "--lazy-phones",
        action="store_true",
        help="decrypt messages only when somebody looks at the phone; for load",
    )
    parser.add_argument(
        "--media-mib",
        type=int,
        metavar="MIB",
        help="keep so much of uploaded files on disk (4096); beyond that, the oldest go",
    )
    parser.add_argument(
        "--exit-with-stdin", action="store_true", help="stop when standard input, a pipe, ends"
    )


def main(args: argparse.Namespace) -> int:
    """Run until stopped; returns the exit code."""
    import pydantic  # noqa: PLC0415
    import structlog  # noqa: PLC0415
    import uvloop  # noqa: PLC0415

    from gateway_worker.sandbox.service.errors import ServiceError  # noqa: PLC0415
    from gateway_worker.sandbox.settings import SandboxRefusedError  # noqa: PLC0415

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        settings = _settings(args)
        uvloop.run(
            run(
                settings,
                phones=args.phone,
                ready_file=args.ready_file,
                exit_with_stdin=args.exit_with_stdin,
            )
        )
    except SandboxRefusedError as error:
        return _complain(str(error), EXIT_REFUSED)
    except pydantic.ValidationError as error:
        mistakes = (f"{item['loc'][0]}: {item['msg']}" for item in error.errors())
        return _complain("; ".join(mistakes), EXIT_REFUSED)
    except (ServiceError, OSError, ValueError) as error:
        return _complain(str(error), EXIT_FAILED)
    return 0


async def run(
    settings: SandboxSettings,
    *,
    phones: Sequence[str] = (),
    ready_file: Path | None = None,
    exit_with_stdin: bool = False,
) -> None:
    """Run the sandbox and its control API until a signal comes.

    Args:
        settings: where to listen.
        phones: `NUMBER` or `NUMBER:NAME`, added before it is ready.
        ready_file: gets the line that is printed.
        exit_with_stdin: stop at the end of standard input as well, so that nothing outlives a
            parent that died.

    Raises:
        SandboxRefusedError: the environment is production.
        OSError: a port is taken or a file cannot be written.
        ServiceError: a phone exists twice.
        ValueError: a phone's number is not digits.
    """
    from gateway_worker.runtime.signals import stop_on_signals  # noqa: PLC0415
    from gateway_worker.sandbox.control.models import Ready  # noqa: PLC0415
    from gateway_worker.sandbox.control.server import serve  # noqa: PLC0415
    from gateway_worker.sandbox.sandbox import Sandbox  # noqa: PLC0415

    stop = asyncio.Event()
    token = settings.control_token
    async with AsyncExitStack() as stack:
        stack.enter_context(stop_on_signals(stop))
        sandbox = await stack.enter_async_context(Sandbox.open(settings))
        for phone in phones:
            number, _, name = phone.partition(":")
            await sandbox.add_phone(number, push_name=name)
        control_url = await stack.enter_async_context(
            serve(
                sandbox,
                port=settings.control_port,
                token=None if token is None else token.get_secret_value(),
            )
        )
        ready = Ready(
            proxy_url=sandbox.proxy_url,
            ca_file=str(sandbox.ca_file),
            root_key=sandbox.root_key_hex,
            control_url=control_url,
        )
        await asyncio.to_thread(_announce, ready, ready_file)
        if exit_with_stdin:
            stack.callback(stop_when_stdin_ends(stop))
        await stop.wait()


def stop_when_stdin_ends(stop: asyncio.Event) -> Callable[[], object]:
    """Let the loop watch standard input (a pipe); returns what ends the watching."""
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            stop.set()

    loop.add_reader(stdin, readable)
    return lambda: loop.remove_reader(stdin)


def _announce(ready: Ready, ready_file: Path | None) -> None:
    line = ready.model_dump_json()
    if ready_file is not None:
        partial = ready_file.with_name(f"{ready_file.name}.partial")
        partial.write_text(line + "\n")
        partial.replace(ready_file)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _settings(args: argparse.Namespace) -> SandboxSettings:
    from pydantic import SecretStr  # noqa: PLC0415

    from gateway_worker.sandbox.settings import SandboxSettings  # noqa: PLC0415

    token = None
    if args.control_token_file is not None:
        token = SecretStr(args.control_token_file.read_text().strip())
    more = {} if args.media_mib is None else {"media_bytes": args.media_mib << 20}
    return SandboxSettings(
        proxy_port=args.proxy_port,
        control_port=args.control_port,
        control_token=token,
        lazy_phones=args.lazy_phones,
        directory=args.directory,
        **more,
    )


def _complain(reason: str, code: int) -> int:
    sys.stderr.write(f"gateway-worker sandbox: {reason}\n")
    return code
