"""The sandbox as a process of its own, as a backend team's CI runs it. For the benches."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway_worker.devkit.services.errors import ServiceStartError
from gateway_worker.sandbox.control.client import SandboxClient
from gateway_worker.sandbox.control.models import Ready

READY_SECONDS = 30.0


class SandboxProcess:
    """A running `gateway-worker sandbox`; made by `start`.

    Attributes:
        client: Scripts its phones.
        worker_env: The three settings that point a worker at it.
    """

    def __init__(self, *, client: SandboxClient, worker_env: dict[str, str]) -> None:
        self.client = client
        self.worker_env = worker_env

    @classmethod
    @asynccontextmanager
    async def start(
        cls, directory: Path, *, lazy_phones: bool = False, media_mib: int | None = None
    ) -> AsyncIterator["SandboxProcess"]:
        """Start it; it ends with this process, however that ends.

        Args:
            directory: For certificates and its log.
            lazy_phones: Its phones decrypt messages only when somebody looks.
            media_mib: How much of uploaded files it keeps, in MiB; None: a lot.

        Raises:
            ServiceStartError: It did not become ready.
        """
        await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
        log = await asyncio.to_thread((directory / "sandbox.log").open, "ab")
        with log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "gateway_worker", "sandbox", "--exit-with-stdin"),
                *("--directory", str(directory)),
                *(["--lazy-phones"] if lazy_phones else []),
                *([] if media_mib is None else ["--media-mib", str(media_mib)]),
                env={**os.environ, "ENVIRONMENT": "test"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        try:
            ready = Ready.model_validate_json(await _first_line(process))
            async with SandboxClient.connect(url=ready.control_url) as client:
                yield cls(client=client, worker_env=ready.env())
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_SECONDS):
            line = await process.stdout.readline()
    except TimeoutError:
        line = b""
    if not line:
        process.kill()
        raise ServiceStartError("the sandbox did not become ready")
    return line
