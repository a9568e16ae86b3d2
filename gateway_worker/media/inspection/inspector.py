"""The worker's side: has a helper process look at a file, waits for it, and never for long."""

import asyncio
import hashlib
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import structlog

from gateway_worker.errors import (
    DependencyError,
    MediaRefusedError,
    MediaTooLargeError,
)
from gateway_worker.media.file import MediaFile
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.media.inspection.protocol import (
    OUTPUT,
    Answer,
    Broken,
    Found,
    Limits,
    Page,
    Question,
    Refused,
)
from gateway_worker.media.places import SharedPlaces

log = structlog.get_logger(__name__)

CPU_SECONDS: Final = 60
"""An hour of speech is converted in about half of it."""
WALL_SECONDS: Final = 120
MEMORY_BYTES: Final = 1024 * 1024 * 1024
MAX_PIXELS: Final = 50_000_000
AT_ONCE: Final = 3
"""Two of one tenant at most, which each may take a minute."""
_ALONE_SECONDS: Final = 5
"""How much longer a helper lives whose worker is gone."""
KILLED_ATTEMPTS: Final = 5
"""How often it is worth while to look at a file whose helper was killed. Mostly the machine had no
memory left, which passes; but it may be this file that takes it, and each look would again."""
_DAMAGED: Final = "the file is damaged, or made to keep whoever reads it busy"


class Inspector:
    """Looks at files.

    Args:
        helpers: The processes that do.
        cpu_seconds: What one file may cost of the processor.
        wall_seconds: How long it may take.
        memory_bytes: How much address space its process may have.
        pixels: How many an image may have.
        at_once: How many files are looked at at the same time, one less of one owner; others wait.
    """

    def __init__(
        self,
        *,
        helpers: Helpers,
        cpu_seconds: int = CPU_SECONDS,
        wall_seconds: int = WALL_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
        pixels: int = MAX_PIXELS,
        at_once: int = AT_ONCE,
    ) -> None:
        self._cpu_seconds = cpu_seconds
        self._wall_seconds = wall_seconds
        self._memory_bytes = memory_bytes
        self._pixels = pixels
        self._places = SharedPlaces(at_once)
        self._helpers = helpers

    async def inspect(
        self,
        path: Path,
        kind: str,
        *,
        owner: str,
        limit_bytes: int,
        sha256: str | None = None,
        file_name: str | None = None,
    ) -> MediaFile:
        """Look at a file, and replace it by one that its kind can be if it has to be converted.

        Args:
            path: The file; nobody else writes to it or beside it under a longer name.
            kind: `image`, `video`, `gif` (a video that plays over and over), `audio`, `voice`,
                `document`, `sticker`, or `picture` (of a person or a group).
            owner: In whose turn; see `places.owner_of`.
            limit_bytes: How large what is converted may become.
            sha256: Of the file as it is, if that is known already.
            file_name: What the sender calls it.

        Raises:
            MediaRefusedError: It is not of that kind, damaged, or cannot be read in time.
            MediaTooLargeError: It becomes too large.
            DependencyError: No helper process can be run now.
        """
        question = self._question(path, kind, limit_bytes, file_name)
        async with self._looking_at(question, owner) as (found, scratch):
            if not isinstance(found, Found):
                raise MediaRefusedError(_DAMAGED)
            if found.converted:
                _replace(path, scratch / OUTPUT, limit_bytes=limit_bytes)
                sha256 = None
            return await asyncio.to_thread(_described, path, found, sha256, file_name)

    async def describe(self, path: Path, *, owner: str, limit_bytes: int) -> Page:
        """Tell what a web page says of itself.

        Args:
            path: The page, or its beginning; nobody else writes beside it under a longer name.
            owner: In whose turn; see `places.owner_of`.
            limit_bytes: How much of it is read.

        Raises:
            MediaRefusedError: It cannot be read in time.
            DependencyError: No helper process can be run now.
        """
        question = self._question(path, "page", limit_bytes, None)
        async with self._looking_at(question, owner) as (found, _):
            if not isinstance(found, Page):
                raise MediaRefusedError(_DAMAGED)
            return found

    @asynccontextmanager
    async def _looking_at(
        self, question: Question, owner: str
    ) -> AsyncIterator[tuple[Found | Page, Path]]:
        """Give what a helper has found, and its directory while the block runs."""
        scratch = Path(question.scratch)
        async with self._places.place(owner):
            try:
                _make_empty(scratch)
                yield await self._ask(question), scratch
            except OSError as error:
                raise DependencyError(f"a file cannot be looked at: {error.strerror}") from error
            finally:
                await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    def _question(self, path: Path, kind: str, limit_bytes: int, file_name: str | None) -> Question:
        path = path.absolute()
        return Question(
            path=str(path),
            scratch=str(path.with_name(f"{path.name}.scratch")),
            kind=kind,
            file_name=file_name,
            limits=Limits(
                cpu_seconds=self._cpu_seconds,
                wall_seconds=self._wall_seconds + _ALONE_SECONDS,
                memory_bytes=self._memory_bytes,
                # One more than it may have, so that it can be told from one that is just right.
                output_bytes=limit_bytes + 1,
                pixels=self._pixels,
            ),
        )

    async def _ask(self, question: Question) -> Found | Page:
        status, said = await self._helpers.ask(
            msgspec.json.encode(question), seconds=self._wall_seconds
        )
        answer = _decoded(said) if status == 0 else None
        match answer:
            case Found() | Page():
                return answer
            case Refused():
                raise MediaRefusedError(answer.detail)
            case Broken():
                log.error("media.inspection_failed", kind=question.kind, detail=answer.detail)
                raise MediaRefusedError("the file cannot be read")
        log.warning("media.inspection_ended", kind=question.kind, status=status)
        if status == -signal.SIGKILL:  # by nobody here: the machine has no memory left
            raise DependencyError(
                "the process that looks at a file was killed", attempts=KILLED_ATTEMPTS
            )
        if status is not None and status > 0:  # by itself, before it has looked at anything
            raise DependencyError("the process that looks at a file does not start")
        raise MediaRefusedError(_DAMAGED)


def _decoded(said: bytes) -> Answer | None:
    """Return an answer; None if it is none, as it may be if the process was taken over."""
    try:
        return msgspec.json.decode(said, type=Answer)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _make_empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)  # of a worker that was killed
    directory.mkdir(mode=0o700)


def _replace(path: Path, output: Path, *, limit_bytes: int) -> None:
    if output.is_symlink() or not output.is_file():
        raise MediaRefusedError(_DAMAGED)
    if output.stat().st_size > limit_bytes:
        raise MediaTooLargeError(f"the converted file has more than {limit_bytes} bytes")
    output.replace(path)


def _described(path: Path, found: Found, sha256: str | None, file_name: str | None) -> MediaFile:
    """Put together what is known of a file."""
    if sha256 is None:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return MediaFile(
        path=path,
        size=path.stat().st_size,
        mime_type=found.mime_type,
        sha256=sha256,
        seconds=found.seconds,
        width=found.width,
        height=found.height,
        waveform=found.waveform,
        thumbnail=found.thumbnail,
        animated=found.animated,
        file_name=file_name,
    )
