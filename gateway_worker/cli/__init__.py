"""The command `gateway-worker`.

`app` has its words, which stand for nothing that is imported before it is needed; `worker` runs,
migrates and checks; `exit_codes` says how it ends, which `--help` shows.
"""

import sys
from collections.abc import Sequence

from gateway_worker.cli.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _do(words)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        code = _tell(error)
        if code is None:
            raise
        return code


def _do(words: Sequence[str]) -> int:
    if words == ["run"]:  # a worker carries nothing of the command line with it
        from gateway_worker.cli.worker import run_worker  # noqa: PLC0415

        run_worker()
    from gateway_worker.cli.app import run_words  # noqa: PLC0415

    return run_words(words)


def _tell(error: Exception) -> int | None:
    """Print an error of the gateway's and return the exit code; None for any other."""
    from gateway_worker.errors import ConfigurationError, GatewayError  # noqa: PLC0415

    if not isinstance(error, GatewayError):
        return None
    print(f"gateway-worker: {error}", file=sys.stderr)
    return EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_FAILED
