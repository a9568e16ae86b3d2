"""The test's handle on a real neonize client that runs in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

DRIVER = Path(__file__).with_name("neonize_driver.py")
PATIENCE_SECONDS = 20.0


class NeonizeClient:
    """Events in, commands out; made by `NeonizeClient.start`.

    Attributes:
        events: everything that came, in order.
    """

    def __init__(self, *, process: asyncio.subprocess.Process) -> None:
        self.events: list[dict[str, Any]] = []
        self._process = process
        self._changed = asyncio.Condition()
        self._taken: set[int] = set()
        self._commands = 0

    @classmethod
    @asynccontextmanager
    async def start(
        cls, *, env: Mapping[str, str], store: Path, resume: str = ""
    ) -> AsyncIterator[NeonizeClient]:
        """Start a client that is pointed at a sandbox.

        Args:
            env: the sandbox's `worker_env`.
            store: the client's database file; what the library prints goes to a log beside it.
            resume: the `jid` of its `connected` event, to log in again.
        """
        with store.with_suffix(".log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(DRIVER),
                str(store),
                env["SANDBOX_PROXY_URL"],
                env["SANDBOX_ROOT_KEY"],
                resume,
                env={**os.environ, "SSL_CERT_FILE": env["SANDBOX_CA_FILE"]},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=1 << 24,
            )
        client = cls(process=process)
        reader = asyncio.create_task(client._read())
        try:
            yield client
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
            await reader

    async def wait_for(self, kind: str, /, **values: Any) -> dict[str, Any]:
        """Return the first event of this kind with these values that was not returned before."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
                position = 0
                while True:
                    for event in self.events[position:]:
                        matches = all(event.get(name) == value for name, value in values.items())
                        if position not in self._taken and event["event"] == kind and matches:
                            self._taken.add(position)
                            return event
                        position += 1
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind} {values} among {self.events[-20:]}") from None

    async def do(self, command: str, /, **values: Any) -> Any:
        """Run a command and return its value.

        Raises:
            RuntimeError: the library failed; the text is its own.
        """
        self._commands += 1
        number = self._commands
        assert self._process.stdin is not None
        line = json.dumps({"do": command, "n": number, **values}) + "\n"
        self._process.stdin.write(line.encode())
        await self._process.stdin.drain()
        async with asyncio.TaskGroup() as waits:
            answers = [
                waits.create_task(self.wait_for(kind, n=number)) for kind in ("done", "failed")
            ]
            done, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            for answer in answers:
                answer.cancel()
        event = done.pop().result()
        if event["event"] == "failed":
            raise RuntimeError(event["error"])
        return event.get("value")

    async def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._process.kill()
        await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()
