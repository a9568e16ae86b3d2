"""The picture of a group or of the account on its way: brought here, and made a square JPEG.

It is on disk until the command has ended: the session's host reads it when its turn has come.
"""

from pathlib import Path
from typing import Final

from gateway_contracts import MediaSource
from gateway_worker.commands.preparation import Preparation
from gateway_worker.media.outgoing import Outgoing, Prepared, Wanted
from gateway_worker.sessions.session.session import Session

KIND: Final = "picture"


class PicturePreparation(Preparation):
    """What becomes of a picture, over all attempts of its command.

    Args:
        outgoing: Brings it here.
        source: Where the backend has it.
    """

    def __init__(self, *, outgoing: Outgoing, source: MediaSource) -> None:
        self._outgoing = outgoing
        self._source = source
        self._directory: Path | None = None
        self._prepared: Prepared | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it is there."""
        return self._prepared is not None

    @property
    def path(self) -> Path | None:
        """The file, in the session's directory, once it is there."""
        return None if self._prepared is None else self._prepared.file.path

    async def run(self, session: Session) -> None:
        """Bring it here.

        Raises:
            MediaUnavailableError: It is not there.
            MediaTooLargeError: It is larger than an image may be.
            MediaRefusedError: It is no image, or the worker does not go there.
            DependencyError: What it takes is unavailable now.
        """
        wanted = Wanted(
            session_id=session.session_id,
            directory=session.directory,
            kind=KIND,
            source=self._source,
        )
        async with self._outgoing.turn(session.session_id):
            self._prepared = await self._outgoing.prepare(wanted)
            self._directory = session.directory

    async def close(self) -> None:
        """Remove the file, if it is on disk."""
        if self._directory is not None and self._prepared is not None:
            await self._outgoing.discard(self._directory, self._prepared)
            self._directory = self._prepared = None
