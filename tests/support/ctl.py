"""Runs `gateway-worker ctl …` as an operator does."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


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


async def run_ctl(environment: Mapping[str, str], *words: str) -> Answer:
    """Run it with these settings, and wait for its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "gateway_worker", "ctl", *words),
        env=dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Answer(code=process.returncode or 0, out=out.decode(), err=err.decode())
