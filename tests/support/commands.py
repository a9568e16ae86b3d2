"""Runs `gateway-worker check`, `ctl …` and the like to their ends, as forks of one process."""

import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.forks import Forks, open_forks

IMPORTED: Final = (
    "gateway_worker.checking",
    "gateway_worker.cli.app",
    *(
        f"gateway_worker.ctl.{name}"
        for name in (
            *("asking", "backends", "bulks", "dead", "disk", "draining", "fleet", "following"),
            *("linking", "operating", "sending", "snapshots", "watching"),
        )
    ),
    *("rich.console", "rich.progress"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)


Ctl = Callable[..., Awaitable[Answer]]
"""Runs `gateway-worker ctl WORDS`; settings by keyword."""


class Commands:
    """Runs commands; several at once, if need be. Made by `open_commands`."""

    def __init__(self, forks: Forks) -> None:
        self._forks = forks

    async def run(self, environment: Mapping[str, str], directory: Path, *words: str) -> Answer:
        """Run `gateway-worker WORDS` with this environment and no other, and wait for its end."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._forks.start(
                words,
                environment=environment,
                directory=directory,
                out=out.fileno(),
                err=err.fileno(),
            )
            code = await process.ended()
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode())
        return Answer(code=code, out=said[0], err=said[1])


@contextmanager
def open_commands() -> Iterator[Commands]:
    """Start the process that forks, where a warning is an error; it ends with this one."""
    with open_forks(*IMPORTED, options=("-W", "error")) as forks:
        yield Commands(forks)
