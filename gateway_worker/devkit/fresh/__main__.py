"""The command `./dev fresh`."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from gateway_worker.devkit.fresh.machine import Machine, UnknownArchiveError
from gateway_worker.devkit.fresh.root import Root, remove

SUITES: Final = ("bookworm", "trixie")
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow README's commands in a bare Debian; return 1 if one of them failed."""
    ours, test_arguments = _split(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(ours)
    if os.geteuid() != 0:
        _say("this needs root, for chroot and mounts")
        return 2
    for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, _interrupt)
    try:
        machine = Machine.read()
        with _directory(options) as directory:
            root = Root(directory=directory, suite=options.suite, machine=machine)
            _say(f"a bare Debian {options.suite} in {directory}")
            root.make()
            root.set_up()
            root.bring(Path.cwd())
            return _follow(root, only=options.only, test_arguments=test_arguments)
    except UnknownArchiveError as error:
        _say(str(error))
        return 2
    except subprocess.CalledProcessError as error:
        _say(f"{error.cmd[0]} failed with status {error.returncode}")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


@contextmanager
def _directory(options: argparse.Namespace) -> Iterator[Path]:
    """Yield where the root is to be; it is removed at the end, however that comes."""
    chosen: Path | None = options.root
    directory = chosen or Path(tempfile.mkdtemp(prefix=f"gateway-{options.suite}-"))
    try:
        yield directory.resolve()
    finally:
        if chosen is not None or options.keep:
            _say(f"kept; --root {directory} goes on in it")
        else:
            remove(directory)


def _follow(root: Root, *, only: str | None, test_arguments: Sequence[str]) -> int:
    """Run README's two commands, then say how each ended."""
    commands = {"demo": ["./dev", "demo"], "test": ["./dev", "test", *test_arguments]}
    ends: dict[str, int] = {}
    for name, command in commands.items():
        if only in {None, name}:
            began = time.monotonic()
            status = root.run(command)
            seconds = time.monotonic() - began
            ends[f"{' '.join(command)}: status {status} after {seconds:.0f} s"] = status
    for line in ends:
        _say(f"{root.suite}: {line}")
    return int(any(ends.values()))


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide a command line at `--`: ours, and pytest's."""
    given = list(arguments)
    at = given.index("--") if "--" in given else len(given)
    return given[:at], given[at + 1 :]


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"fresh: {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev fresh",
        description="README's two commands in a bare Debian of some release, made by debootstrap.",
        epilog="What stands after -- goes to pytest: ./dev fresh trixie --only test -- tests/unit",
    )
    parser.add_argument("suite", choices=SUITES, help="the release")
    parser.add_argument("--only", choices=("demo", "test"), help="follow only this command")
    parser.add_argument("--keep", action="store_true", help="do not remove the root at the end")
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="where the root is to be kept; one that is there already is gone on with",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
