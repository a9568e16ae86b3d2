"""Programs that tell in lines of JSON what they do."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A running program.

    Attributes:
        process: Its process.
        told: What it has told so far.
    """

    process: asyncio.subprocess.Process
    told: list[dict[str, Any]] = field(default_factory=list)

    async def tells(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the next line that is wanted; what stands before it is skipped."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := await self.process.stdout.readline():
                self.told.append(json.loads(line))
                if wanted(self.told[-1]):
                    return self.told[-1]
        raise AssertionError(f"it has ended; it told {self.told}")


@asynccontextmanager
async def program(words: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[Program]:
    """Start a program; it is killed when the block is left, if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *words, env=dict(environment), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Program(process=process)
    finally:
        if process.returncode is None:
            process.kill()
        assert process.stdout is not None
        while await process.stdout.read(65_536):  # else its pipe stays open
            pass
        await process.wait()
