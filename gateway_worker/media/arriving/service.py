"""Fetches the files of this worker's sessions, a few at a time (a service).

A file that is `pending` in the database is fetched by whoever owns its session, so what a worker
had begun when it died, or when the session left it, another one takes up. The file's end is
committed under the session's epoch: a worker that has lost the session tells nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import structlog

from gateway_contracts import (
    Media,
    MediaData,
    MediaError,
    MediaFailed,
    MediaReady,
    MediaState,
)
from gateway_worker.errors import (
    DependencyError,
    GatewayError,
    MediaUnavailableError,
    PermanentError,
    QuotaExceededError,
    RetryableError,
    UnsupportedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.media.arriving.decryption import DamagedTransferError
from gateway_worker.media.arriving.download import Downloader
from gateway_worker.media.arriving.fair_queue import FairQueue
from gateway_worker.media.arriving.jobs import Job, is_ours
from gateway_worker.media.arriving.links import Links
from gateway_worker.media.arriving.ports import (
    MediaObserver,
    MediaTable,
    ObjectStore,
    Owner,
)
from gateway_worker.media.arriving.records import MediaRow, MediaUpdate, prefix_of
from gateway_worker.media.settings import MediaDownload

log = structlog.get_logger(__name__)

PATIENCE_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 0.2
"""Sessions come many at a time."""
_MOST_WAITING: Final = 10_000
"""More are not kept in memory: the database has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much is fetched at a time, and for how long it is tried.

    Attributes:
        parallel: Files of all sessions at the same time; one less of one tenant's, so that a place
            is left to others.
        per_session: Files of one session at the same time.
        patience_seconds: So long after the first attempt a file is given up that WhatsApp, or the
            session's proxy, does not give.
    """

    parallel: int
    per_session: int = 3
    patience_seconds: float = PATIENCE_SECONDS


class ArrivingMedia:
    """Fetches files that are waiting, and those that somebody asks for.

    Args:
        source: The `source` of the events.
        table: The files.
        objects: Where they are kept.
        downloader: Brings one there.
        links: Makes the links to what is there.
        observer: Counts.
        download: Whether files are fetched at all.
        pace: How much at a time.
    """

    def __init__(
        self,
        *,
        source: str,
        table: MediaTable,
        objects: ObjectStore,
        downloader: Downloader,
        links: Links,
        observer: MediaObserver,
        download: MediaDownload,
        pace: Pace,
    ) -> None:
        self._source = source
        self._owner: Owner = _Nobody()
        self._table = table
        self._objects = objects
        self._downloader = downloader
        self._links = links
        self._observer = observer
        self._download = download
        self._pace = pace
        self._jobs: dict[tuple[str, str], Job] = {}
        self._queue: FairQueue[Job] = FairQueue(
            per_session=pace.per_session, per_owner=max(1, pace.parallel - 1)
        )
        self._running: dict[str, set[asyncio.Task[None]]] = {}
        self._deleted: dict[str, int | None] = {}
        self._look = asyncio.Event()
        self._is_open = False

    def serve(self, owner: Owner) -> None:
        """Fetch the files of these sessions."""
        self._owner = owner

    @property
    def waiting(self) -> int:
        """How many files are to be fetched, as far as is known here."""
        return len(self._jobs)

    @property
    def running(self) -> int:
        """How many of them are being fetched just now."""
        return sum(map(len, self._running.values()))

    def arrived(self, session_id: str, media_id: str) -> None:
        """Note a file that is to be fetched. Never blocks."""
        if len(self._jobs) < _MOST_WAITING and not self._is_deleted(session_id):
            self._enter(session_id, media_id)

    def look_again(self) -> None:
        """Look for files of sessions that have come. Never blocks."""
        self._look.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Fetch until `stop` is set; what is not there by then stays pending."""
        self._is_open = True
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._look_for_more(), name="media.look")]
                tasks += [
                    group.create_task(self._fetch_all(), name=f"media.fetch.{number}")
                    for number in range(self._pace.parallel)
                ]
                await stop.wait()
                for task in tasks:
                    task.cancel()
        finally:
            self._close()

    async def get(self, session_id: str, media_id: str) -> Media:
        """Return a file with its links, fetched if it is not there.

        Raises:
            MediaUnavailableError: It cannot be had.
            MediaRefusedError: Likewise.
            UnsupportedError: It is not there, and this gateway fetches none.
            RetryableError: It cannot be had now.
        """
        row = await self._table.get(session_id, media_id)
        if row is None:
            raise MediaUnavailableError("the file is not known, or was deleted because of its age")
        if row.media.state is MediaState.READY and await self._is_there(row.media):
            return await self._links.linked(row.media, file_name=row.file_name)
        if self._download is MediaDownload.OFF:
            raise UnsupportedError("this gateway fetches no files")
        if not self._is_open or self._is_deleted(session_id):
            raise DependencyError("this worker fetches no files of the session now")
        job = self._enter(session_id, media_id, first=True)
        waiter: asyncio.Future[Media] = asyncio.get_running_loop().create_future()
        job.waiters.add(waiter)
        try:
            return await waiter
        finally:
            job.waiters.discard(waiter)

    async def place_of(self, session_id: str, media_id: str) -> MediaReference:
        """Return where WhatsApp has a file, with the thumbnail that came with it if it is there.

        Raises:
            MediaUnavailableError: That is not known any more.
        """
        row = await self._table.get(session_id, media_id)
        if row is None:
            raise MediaUnavailableError("the file is not known, or was deleted because of its age")
        return self._downloader.place_of(session_id, row)

    async def remove(self, session_id: str) -> None:
        """Remove every file of a session that is being deleted. Idempotent.

        Raises:
            DependencyError: Not all of them are removed.
        """
        self._deleted[session_id] = self._owner.epoch_of(session_id)
        for job in [job for job in self._jobs.values() if job.session_id == session_id]:
            self._drop(job, MediaUnavailableError("the session is being deleted"))
        tasks = tuple(self._running.get(session_id, ()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._objects.delete_prefix(prefix_of(session_id))
        except BaseException:
            self._deleted.pop(session_id, None)  # it goes on until somebody tries again
            raise

    def _is_deleted(self, session_id: str) -> bool:
        """Whether a session is being deleted; one that has got its name since is another."""
        if session_id not in self._deleted:
            return False
        epoch = self._owner.epoch_of(session_id)
        return epoch is not None and epoch == self._deleted[session_id]

    # The queue.

    def _enter(self, session_id: str, media_id: str, *, first: bool = False) -> Job:
        job = self._jobs.get((session_id, media_id))
        if job is None:
            job = Job(session_id=session_id, media_id=media_id)
            self._jobs[job.key] = job
            self._queue.put(session_id, job, first=first)
        elif first and (job.timer is not None or self._queue.remove(session_id, job)):
            job.stop_waiting()
            self._queue.put(session_id, job, first=True)
        return job

    def _drop(self, job: Job, error: GatewayError) -> None:
        job.stop_waiting()
        self._queue.remove(job.session_id, job)
        self._jobs.pop(job.key, None)
        job.fail(error)

    def _later(self, job: Job, seconds: float) -> None:
        def put() -> None:
            job.timer = None
            self._queue.put(job.session_id, job)

        job.timer = asyncio.get_running_loop().call_later(seconds, put)

    def _close(self) -> None:
        self._is_open = False
        for job in tuple(self._jobs.values()):
            self._drop(job, DependencyError("this worker fetches no files any more"))

    async def _look_for_more(self) -> None:
        while True:
            self._look.clear()
            try:
                await self._take_up()
            except GatewayError as error:
                log.warning("media.not_looked", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._look.wait()
            await asyncio.sleep(_SETTLE_SECONDS)

    async def _take_up(self) -> None:
        """Enter what the database has of this worker's sessions."""
        session_ids = self._owner.owned()
        self._deleted = {
            name: epoch for name, epoch in self._deleted.items() if self._is_deleted(name)
        }
        if session_ids:
            for each in await self._table.waiting(session_ids, limit=_MOST_WAITING):
                self.arrived(each.session_id, each.media_id)

    # One file.

    async def _fetch_all(self) -> None:
        while True:
            job = await self._queue.take()
            task = asyncio.create_task(self._attempt(job), name=f"media:{job.session_id}")
            running = self._running.setdefault(job.session_id, set())
            running.add(task)
            try:
                await asyncio.wait((task,))
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                self._queue.done(job.session_id)
                running.discard(task)
                if not running:
                    self._running.pop(job.session_id, None)

    async def _attempt(self, job: Job) -> None:
        job.began = time.monotonic() if job.began is None else job.began
        try:
            row = await self._table.get(job.session_id, job.media_id)
            if row is None or self._owner.epoch_of(job.session_id) is None:
                self._drop(job, MediaUnavailableError("the file is not this session's any more"))
                return
            await self._bring(job, row)
        except RetryableError as error:
            self._again(job, error)
        except asyncio.CancelledError:
            raise
        except Exception:  # the next one must not wait for it
            log.exception("media.fetch_failed", session_id=job.session_id, media_id=job.media_id)
            self._again(job, DependencyError("the gateway failed; its log has the details"))

    async def _bring(self, job: Job, row: MediaRow) -> None:
        began = time.monotonic()
        try:
            media, came = await self._downloader.download(job.session_id, row)
        except PermanentError as error:
            if self._may_come_whole(job, row, error):
                raise UpstreamTimeoutError(error.detail) from error
            # The next day it can be had.
            is_recoverable = isinstance(error, QuotaExceededError)
            await self._give_up(job, row, error, is_recoverable=is_recoverable)
            return
        except RetryableError as error:
            self._observer.media_failed(error.code)
            if row.media.state is MediaState.PENDING and self._has_patience(job, error):
                raise
            await self._give_up(job, row, error, is_recoverable=True)
            return
        linked = await self._links.linked(media, file_name=row.file_name)
        event = MediaReady(source=self._source, subject=job.session_id, data=_data(row, linked))
        if await self._owner.record(job.session_id, event, _update(media)):
            seconds = time.monotonic() - began
            self._observer.media_fetched(size_bytes=came, seconds=seconds)
            log.info(
                "media.ready",
                session_id=job.session_id,
                media_id=row.media_id,
                bytes=came,
                seconds=round(seconds, 3),
            )
        self._jobs.pop(job.key, None)
        job.succeed(linked)

    async def _give_up(
        self, job: Job, row: MediaRow, error: GatewayError, *, is_recoverable: bool
    ) -> None:
        """End a file that cannot be had; only of a pending one anybody was promised to hear."""
        if isinstance(error, PermanentError):
            self._observer.media_failed(error.code)
        log.warning(
            "media.failed",
            session_id=job.session_id,
            media_id=row.media_id,
            error_code=error.code,
            reason=error.detail,
        )
        if row.media.state is MediaState.PENDING:
            failed = MediaError(code=error.code, detail=error.detail, recoverable=is_recoverable)
            media = row.media.model_copy(update={"state": MediaState.FAILED, "error": failed})
            event = MediaFailed(source=self._source, subject=job.session_id, data=_data(row, media))
            await self._owner.record(job.session_id, event, _update(media))
        self._jobs.pop(job.key, None)
        job.fail(error)

    @staticmethod
    def _may_come_whole(job: Job, row: MediaRow, error: PermanentError) -> bool:
        """Whether a file that was damaged on its way is fetched once more before that is told."""
        if not isinstance(error, DamagedTransferError) or job.was_damaged:
            return False
        job.was_damaged = row.media.state is MediaState.PENDING
        return job.was_damaged

    def _has_patience(self, job: Job, error: RetryableError) -> bool:
        """Whether a file is tried again that cannot be had now."""
        if is_ours(error):
            return True
        return not job.is_over(
            error.retry_after_seconds or 0.0,
            now=time.monotonic(),
            patience_seconds=self._pace.patience_seconds,
        )

    def _again(self, job: Job, error: RetryableError) -> None:
        """Try a file once more later; whoever waits for it is told now."""
        if self._jobs.get(job.key) is not job:  # it was dropped meanwhile
            return
        job.fail(error)
        seconds = job.pause_seconds(error)
        log.info(
            "media.retrying",
            session_id=job.session_id,
            media_id=job.media_id,
            reason=error.detail,
            seconds=round(seconds, 1),
        )
        self._later(job, seconds)

    async def _is_there(self, media: Media) -> bool:
        return media.key is not None and await self._objects.head(media.key) is not None


class _Nobody:
    """Owns no sessions."""

    def owned(self) -> Collection[str]:
        return ()

    def epoch_of(self, session_id: str) -> int | None:  # noqa: ARG002 - the port's
        return None

    async def record(
        self,
        session_id: str,  # noqa: ARG002 - as above
        event: MediaReady | MediaFailed,  # noqa: ARG002
        update: MediaUpdate,  # noqa: ARG002
    ) -> bool:
        return False


def _update(media: Media) -> MediaUpdate:
    assert media.media_id is not None
    return MediaUpdate(media_id=media.media_id, media=media)


def _data(row: MediaRow, media: Media) -> MediaData:
    return MediaData(message_id=row.message_id, chat=row.chat, media=media)
