"""Keys that tokens are signed with, read again and again from where they are published."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import aiohttp
import structlog

from gateway_worker.errors import DependencyError
from gateway_worker.runtime.os_errors import explain

log = structlog.get_logger(__name__)

Parsed = TypeVar("Parsed")

MAX_BYTES: Final = 262_144
_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 10.0
"""Between two looks for a key that nobody knows: whoever makes keys up must not make traffic."""
_FIRST_SECONDS: Final = 10.0
_OK: Final = 200


class Keys(Generic[Parsed]):
    """The keys of this moment (a service). While they cannot be read, the last ones are good.

    Args:
        read: Fetches the document. Raises `DependencyError`.
        parse: Makes keys of it. Raises `ValueError`.
        none: No keys.
        refresh_seconds: How often they are read.
        keep_seconds: How long they are good when they cannot be read any more.
    """

    def __init__(
        self,
        *,
        read: Callable[[], Awaitable[bytes]],
        parse: Callable[[bytes], Parsed],
        none: Parsed,
        refresh_seconds: float,
        keep_seconds: float,
    ) -> None:
        self._read = read
        self._parse = parse
        self._none = none
        self._refresh_seconds = refresh_seconds
        self._keep_seconds = keep_seconds
        self._document = b""
        self._read_at = 0.0
        self._wanted = asyncio.Event()
        self._is_read = asyncio.Event()
        self.current = none
        self.problem: str | None = "not read yet"

    def want(self) -> None:
        """Read them soon: one is missed."""
        self._wanted.set()

    async def first(self) -> None:
        """Return when they were read once, or cannot be: then what needs them is refused."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_SECONDS):
                await self._is_read.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Read them until `stop` is set."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                await self.refresh()
                pause = self._refresh_seconds if self.problem is None else _PAUSE_SECONDS
                await _either(stopping, asyncio.sleep(min(pause, _PAUSE_SECONDS)))
                await _either(stopping, self._until_wanted(max(0.0, pause - _PAUSE_SECONDS)))
        finally:
            stopping.cancel()

    async def refresh(self) -> None:
        """Read them now. Never raises."""
        self._wanted.clear()
        try:
            document = await self._read()
            if document != self._document:
                self.current = self._parse(document)
                self._document = document
                log.info("keys.read")
        except (DependencyError, ValueError) as error:
            self.problem = str(error)
            log.warning("keys.not_read", reason=self.problem)
            if time.monotonic() - self._read_at > self._keep_seconds:
                self.current, self._document = self._none, b""
            return
        self.problem = None
        self._read_at = time.monotonic()
        self._is_read.set()

    async def _until_wanted(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted.wait()


async def _either(stopping: "asyncio.Future[Any]", waiting: Awaitable[object]) -> None:
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait((stopping, task), return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()


async def read_file(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        DependencyError: It cannot be read.
    """
    try:
        return await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise DependencyError(f"{path}: {explain(error)}") from error


async def read_url(url: str) -> bytes:
    """Return what is at a URL; no redirect is followed.

    Raises:
        DependencyError: It cannot be had now, or is too large.
    """
    limit = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != _OK:
                raise DependencyError(f"the keys' server answers {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise DependencyError("the keys' document is too large")
            return bytes(body)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise DependencyError(f"the keys cannot be had: {type(error).__name__}") from error
