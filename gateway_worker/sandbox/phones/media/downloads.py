"""From what a message says about its file to the file: downloaded, checked three times, decrypted.

A phone does this by itself for everything that comes; a lazy one does it when somebody looks. What
has come is on disk already, with the service, so nothing is kept here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog

from gateway_worker.sandbox.phones.errors import (
    MediaDamagedError,
    MediaUnavailableError,
    PhoneError,
)
from gateway_worker.sandbox.phones.media.cipher import Opener
from gateway_worker.sandbox.phones.media.kinds import FORMS
from gateway_worker.sandbox.phones.media.uploads import AT_ONCE_BYTES
from gateway_worker.sandbox.service.errors import MediaRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway_worker.sandbox.phones.media.attachment import Attachment
    from gateway_worker.sandbox.service.media.store import MediaStore

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Downloads:
    """The downloads of one phone."""

    def __init__(self, *, store: MediaStore, on_error: Callable[[MediaDamagedError], None]) -> None:
        """Prepare.

        Args:
            store: where the files are.
            on_error: told of a file that is not what was announced.
        """
        self._store = store
        self._on_error = on_error
        self._running: dict[int, asyncio.Task[None]] = {}

    def begin(self, attachment: Attachment) -> None:
        """Download a file: a small one before this returns, another one in the background."""
        if attachment.is_settled or id(attachment) in self._running:
            return
        if attachment.size <= AT_ONCE_BYTES:
            self._finish(attachment, self._problem(attachment))
            return
        task = asyncio.create_task(self._run(attachment), name="phone-download")
        self._running[id(attachment)] = task
        task.add_done_callback(lambda _: self._running.pop(id(attachment), None))

    async def settle(self, attachment: Attachment) -> None:
        """Download a file if that was not done yet, and wait for it."""
        self.begin(attachment)
        task = self._running.get(id(attachment))
        if task is not None:
            await asyncio.shield(task)

    async def data(self, attachment: Attachment) -> bytes:
        """Return the plain file.

        Raises:
            MediaUnavailableError: it cannot be had.
            MediaDamagedError: it is not what was announced.
        """
        return await asyncio.to_thread(lambda: b"".join(self._pieces(attachment)))

    async def stop(self) -> None:
        """Give up what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, attachment: Attachment) -> None:
        self._finish(attachment, await asyncio.to_thread(self._problem, attachment))

    def _finish(self, attachment: Attachment, problem: PhoneError | None) -> None:
        attachment.is_checked = problem is None
        if problem is not None:
            attachment.error = str(problem)
            log.info("sandbox.phone.media_failed", error=type(problem).__name__)
        if isinstance(problem, MediaDamagedError):
            self._on_error(problem)

    def _problem(self, attachment: Attachment) -> PhoneError | None:
        try:
            deque(self._pieces(attachment), maxlen=0)
        except (MediaUnavailableError, MediaDamagedError) as error:
            return error
        return None

    def _pieces(self, attachment: Attachment) -> Iterator[bytes]:
        opener = Opener(
            media_key=attachment.media_key,
            key_info=FORMS[attachment.kind].key_info,
            announced=attachment.hashes,
        )
        try:
            yield from opener.pieces(self._store.find(attachment.direct_path).body.pieces())
        except (MediaRefusedError, OSError) as error:
            raise MediaUnavailableError(f"the file cannot be had: {error}") from error
