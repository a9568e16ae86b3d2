"""Keys that tokens are signed with, read again and again from where they are published.

    read ──► usable ──(cannot be read for `keep_seconds`)──► awaited ──(`hold_seconds`)──► given up
               └──────────(there is none in what is read)──────┘
While they are awaited, nothing can be said of any token: what needs one waits. Once they are given
up it is refused, until they have been read. A document without keys is more often an issuer's slip
than its will; those of before, which it may have taken back, are good no more either way.
"""

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
_OK: Final = 200
NO_KEYS: Final = "there is no key for any of JWT_ALGORITHMS, with a name (kid) and long enough"


class Keys(Generic[Parsed]):
    """The keys of this moment (a service). While they cannot be read, the last ones are good.

    Args:
        read: Fetches the document. Raises `DependencyError`.
        parse: Makes keys of it. Raises `ValueError`.
        none: No keys.
        refresh_seconds: How often they are read.
        keep_seconds: How long they are good when they cannot be read any more.
        hold_seconds: How long what needs them waits when there are none that are good.
        clock: Seconds that only rise.

    Attributes:
        current: The keys.
        problem: Why there are none that were read just now; None if there are.
    """

    def __init__(
        self,
        *,
        read: Callable[[], Awaitable[bytes]],
        parse: Callable[[bytes], Parsed],
        none: Parsed,
        refresh_seconds: float,
        keep_seconds: float,
        hold_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._parse = parse
        self._none = none
        self._refresh_seconds = refresh_seconds
        self._keep_seconds = keep_seconds
        self._hold_seconds = hold_seconds
        self._clock = clock
        self._document = b""
        self._wanted = asyncio.Event()
        self._read_at = clock()
        self._missing_since: float | None = self._read_at
        self._watchers: list[Callable[[], None]] = []
        self.current = none
        self.problem: str | None = "not read yet"

    def want(self) -> None:
        """Read them soon: one is missed."""
        self._wanted.set()

    @property
    def are_usable(self) -> bool:
        """Whether there are any that are good."""
        return self._missing_since is None

    @property
    def are_awaited(self) -> bool:
        """Whether there are none, and what needs them waits."""
        since = self._missing_since
        return since is not None and self._clock() - since < self._hold_seconds

    @property
    def unread_seconds(self) -> float:
        """For how long they could not be read; 0 if they could the last time."""
        return 0.0 if self.problem is None else self._clock() - self._read_at

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` when they may be awaited no more, or are again. It must be quick."""
        self._watchers.append(changed)

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
        except Exception as error:  # noqa: BLE001 - whatever a key is made of: there are the last ones
            self._note_unread(error)
        else:
            self._note_read()
        for changed in self._watchers:
            changed()

    def _note_read(self) -> None:
        if self.current == self._none:
            self.problem = NO_KEYS
            self._miss()
        else:
            self.problem = self._missing_since = None
            self._read_at = self._clock()

    def _note_unread(self, error: Exception) -> None:
        is_expected = isinstance(error, DependencyError | ValueError)
        self.problem = str(error) if is_expected else type(error).__name__
        log.warning("keys.not_read", reason=self.problem, exc_info=not is_expected)
        if self._clock() - self._read_at > self._keep_seconds:
            self.current, self._document = self._none, b""
            self._miss()

    def _miss(self) -> None:
        if self._missing_since is None:
            self._missing_since = self._clock()
            log.error("keys.lapsed", reason=self.problem, hold_seconds=self._hold_seconds)

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
        DependencyError: It cannot be read, or is too large.
    """
    try:
        content = await asyncio.to_thread(_beginning, path)
    except OSError as error:
        raise DependencyError(f"{path}: {explain(error)}") from error
    if len(content) > MAX_BYTES:
        raise DependencyError(f"{path} is too large: keys have {MAX_BYTES} bytes at most")
    return content


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


async def read_url(url: str) -> bytes:
    """Return what is at a URL, through the proxy of the environment; no redirect is followed.

    Raises:
        DependencyError: It cannot be had now, or is too large.
    """
    limit = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=limit, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True
            ) as session,
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
