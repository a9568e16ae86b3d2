"""Files on their way to WhatsApp: from where the backend has them to the session's directory.

    source ──► file ──► looked at, converted ──► `MediaFile` ──► uploaded by the session's host
A file is on disk for as long as it takes, below the session's own directory, which its host can
read. What a worker leaves behind when it dies is removed when the next one starts.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from gateway_contracts import ErrorCode, MediaSource, ObjectSource, UploadSource, UrlSource, new_id
from gateway_worker.errors import (
    DependencyError,
    GatewayError,
    MediaTooLargeError,
    MediaUnavailableError,
)
from gateway_worker.host_protocol.layout import OUTGOING_NAME
from gateway_worker.media.allowance import MediaAllowance
from gateway_worker.media.fetching.fetcher import Fetcher
from gateway_worker.media.fetching.sink import Came, Sink
from gateway_worker.media.file import MediaFile
from gateway_worker.media.inspection.inspector import Inspector
from gateway_worker.media.objects import ObjectReader, may_read
from gateway_worker.media.places import SharedPlaces, owner_of
from gateway_worker.media.settings import MediaSettings
from gateway_worker.media.uploads import Uploads
from gateway_worker.runtime.os_errors import explain

log = structlog.get_logger(__name__)

_FILE_NAME: Final = "file"
_NO_OBJECT: Final = "the bucket has no such object"

Observer = Callable[[str, str, str, float], None]
"""Called with a file's kind, a step (`fetch`, `inspect`, `upload`), how that ended (`succeeded`,
`cancelled` or the code of an error), and its seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file that a message is to carry.

    Attributes:
        session_id: Whose message.
        directory: That session's own.
        kind: Of the content: `image`, `voice` …
        is_gif: Whether a video plays over and over.
        source: Where the backend has it.
        file_name: What it is to be called.
    """

    session_id: str
    directory: Path
    kind: str
    source: MediaSource
    file_name: str | None = None
    is_gif: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A file that can be uploaded.

    Attributes:
        file: What it is.
        key: Its object in the bucket, if it is there as it is.
    """

    file: MediaFile
    key: str | None = None


class Outgoing:
    """Brings files to where their session's host can upload them.

    Args:
        objects: The bucket.
        uploads: What backends have put there under an id.
        fetcher: Gets what is elsewhere.
        inspector: Looks at files in a process of its own.
        settings: Sizes and times.
        allowance: How many bytes each tenant may send.
        observe: Told of each step.
    """

    def __init__(
        self,
        *,
        objects: ObjectReader,
        uploads: Uploads,
        fetcher: Fetcher,
        inspector: Inspector,
        settings: MediaSettings,
        allowance: MediaAllowance,
        observe: Observer = lambda _kind, _step, _outcome, _seconds: None,
    ) -> None:
        self._objects = objects
        self._uploads = uploads
        self._fetcher = fetcher
        self._inspector = inspector
        self._settings = settings
        self._allowance = allowance
        self._observe = observe
        self._places = SharedPlaces(settings.parallel_uploads)
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def turn(self, session_id: str) -> AsyncIterator[None]:
        """Wait until no other file of the session is under way, and few of the whole worker."""
        turn = self._turns.setdefault(session_id, _Turn())
        turn.users += 1
        try:
            async with turn.lock, self._places.place(owner_of(session_id)):
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[session_id]

    async def prepare(self, wanted: Wanted) -> Prepared:
        """Have a file in the session's directory, checked, and made into what its kind has to be.

        Whoever asks for it removes it with `discard`.

        Raises:
            MediaUnavailableError: It is not there.
            MediaTooLargeError: It is larger than its kind may be.
            MediaRefusedError: It is not what its kind may be, or the worker does not go there.
            QuotaExceededError: The tenant has sent as many bytes today as it may.
            DependencyError: What it takes is unavailable now.
        """
        place = wanted.directory / OUTGOING_NAME / new_id()
        try:
            await asyncio.to_thread(place.mkdir, mode=0o700, parents=True)
            path = place / _FILE_NAME
            with self.observed(wanted.kind, "fetch"):
                # Also what is too large or turns out to be damaged has come.
                async with self._allowance.counting(wanted.session_id) as tally:
                    sha256, key = await self._fetch(wanted, into=path, came=tally.add)
            with self.observed(wanted.kind, "inspect"):
                file = await self._inspector.inspect(
                    path,
                    "gif" if wanted.is_gif else wanted.kind,
                    owner=owner_of(wanted.session_id),
                    limit_bytes=self._settings.limit_bytes(wanted.kind),
                    sha256=sha256,
                    file_name=wanted.file_name,
                )
        except OSError as error:
            await _remove(place)
            raise DependencyError(f"the session's directory: {explain(error)}") from error
        except BaseException:
            await _remove(place)
            raise
        log.info("media.prepared", kind=wanted.kind, source=wanted.source.source, bytes=file.size)
        return Prepared(file=file, key=key if file.sha256 == sha256 else None)

    async def discard(self, directory: Path, prepared: Prepared) -> None:
        """Remove a file, with what it was made of. Never raises; idempotent.

        Args:
            directory: The session's own.
            prepared: What `prepare` returned.
        """
        below = prepared.file.path.relative_to(directory / OUTGOING_NAME)
        await _remove(directory / OUTGOING_NAME / below.parts[0])

    @contextmanager
    def observed(self, kind: str, step: str) -> Iterator[None]:
        """Tell how a step ends, and how long it takes."""
        began, outcome = time.monotonic(), "cancelled"
        try:
            yield
            outcome = "succeeded"
        except GatewayError as error:
            outcome = error.code.value
            log.warning("media.step_failed", kind=kind, step=step, error_code=outcome)
            raise
        except OSError:
            outcome = ErrorCode.INTERNAL.value
            raise
        finally:
            self._observe(kind, step, outcome, time.monotonic() - began)

    async def _fetch(self, wanted: Wanted, *, into: Path, came: Came) -> tuple[str, str | None]:
        """Bring a file here; returns its SHA-256 in hexadecimal digits, and its key, if any."""
        limit = self._settings.limit_bytes(wanted.kind)
        seconds = self._settings.fetch_seconds
        match wanted.source:
            case UrlSource(url=url):
                fetched = await self._fetcher.fetch(
                    url,
                    owner=owner_of(wanted.session_id),
                    into=into,
                    limit_bytes=limit,
                    seconds=seconds,
                    came=came,
                )
                return fetched.sha256, None
            case ObjectSource(key=key):
                if not may_read(wanted.session_id, key):
                    raise MediaUnavailableError(_NO_OBJECT)
                head = await self._objects.head(key)
                if head is None:
                    raise MediaUnavailableError(_NO_OBJECT)
                return await self._copy(
                    key, head.size_bytes, into=into, limit=limit, came=came
                ), key
            case UploadSource(media_id=media_id):
                found = await self._uploads.find(wanted.session_id, media_id)
                key, size = found.key, found.size_bytes
                return await self._copy(key, size, into=into, limit=limit, came=came), key

    async def _copy(self, key: str, size: int, *, into: Path, limit: int, came: Came) -> str:
        """Copy an object of the bucket into a file; returns its hash."""
        if size > limit:
            raise MediaTooLargeError(f"the file has more than {limit} bytes")
        try:
            async with (
                asyncio.timeout(self._settings.fetch_seconds),
                aclosing(self._objects.read(key, size_bytes=size)) as chunks,
                Sink(into, limit_bytes=limit, came=came) as sink,
            ):
                async for chunk in chunks:
                    await sink.write(chunk)
                return await sink.finish()
        except TimeoutError as error:
            raise DependencyError("the object store is too slow") from error


def sweep(sessions: Path) -> int:
    """Remove what a worker that is gone was about to upload; returns for how many sessions. Blocks.

    Args:
        sessions: Where each session has its directory; no host and no command runs yet.
    """
    left = list(sessions.glob(f"*/{OUTGOING_NAME}"))
    for directory in left:
        shutil.rmtree(directory, ignore_errors=True)
    if left:
        log.info("media.swept", sessions=len(left))
    return len(left)


@dataclass(slots=True)
class _Turn:
    """Who has the turn of a session, and how many want it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


async def _remove(place: Path) -> None:
    """Remove a directory, to the end even if that is being cancelled."""
    removing = asyncio.ensure_future(asyncio.to_thread(shutil.rmtree, place, ignore_errors=True))
    try:
        await asyncio.shield(removing)
    except asyncio.CancelledError:
        await asyncio.wait((removing,))
        raise
