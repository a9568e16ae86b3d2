"""What is typed: an account is linked, and a message is sent."""

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable, Mapping

from tests.recording.camera import read_code
from tests.recording.terminal import Recording, run

TEXT = "Your order is ready."
_PATIENCE_SECONDS = 120


async def record(
    *,
    environment: Mapping[str, str],
    session: str,
    to: str,
    scan: Callable[[str], Awaitable[object]],
) -> Recording:
    """Play the story and return what the terminal has shown.

    Args:
        environment: Of the commands: it says where the broker is.
        session: Name of a session that does not exist yet.
        to: Whom to write to: digits.
        scan: Has a phone scan a code.
    """
    recording = Recording()
    environment = {**environment, "TERM": "xterm-256color"}

    async def typed(line: str) -> None:
        words = [sys.executable, "-m", "gateway_worker", *shlex.split(line)[1:]]
        code = await run(words, line, environment=environment, recording=recording)
        assert code == 0, recording.lines

    creating = asyncio.create_task(typed(f"gateway-worker ctl create {session}"))
    try:
        shown = await recording.until("scan it before", seconds=_PATIENCE_SECONDS)
        await scan(read_code(shown))
        await creating
    finally:
        creating.cancel()
    await typed(f"gateway-worker ctl send {session} +{to} {shlex.quote(TEXT)}")
    return recording
