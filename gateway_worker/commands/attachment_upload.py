"""The file of one message on its way: prepared, then uploaded by the session's host.

Uploading has no effect that anybody sees: it is repeated after a crash. What must not be done twice
is the send that names what was uploaded, and that comes afterwards, in its turn.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway_contracts import ContentToSend, Media, MediaSource, MediaState, StatusContent
from gateway_worker.commands.preparation import Preparation
from gateway_worker.commands.shared_by_rows import Share
from gateway_worker.host_protocol.media import Attachment, MediaType, Uploaded
from gateway_worker.host_protocol.methods.media import UploadMedia
from gateway_worker.media.file import MediaFile
from gateway_worker.media.outgoing import Outgoing, Prepared, Wanted
from gateway_worker.sessions.session.session import Session

AnyContent = ContentToSend | StatusContent
"""Whatever may have a file."""

_TYPES: Final = {
    "image": MediaType.IMAGE,
    "sticker": MediaType.IMAGE,
    "video": MediaType.VIDEO,
    "audio": MediaType.AUDIO,
    "voice": MediaType.AUDIO,
    "document": MediaType.DOCUMENT,
}
"""As what the files of each kind of content are uploaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFile:
    """A file that is uploaded, for all rows of a bulk that carry it.

    Attributes:
        attachment: What messages say of it.
        prepared: What it is; nothing of it is on disk any more.
    """

    attachment: Attachment
    prepared: Prepared


class AttachmentUpload(Preparation):
    """What becomes of the file of a message, over all attempts of its command.

    Args:
        outgoing: Prepares it.
        content: What it belongs to.
        source: Where the backend has it.
        share: Of a row of a bulk, the files of that bulk.

    Attributes:
        attachment: What the message says of it, once it is uploaded.
        prepared: What it is, once that is known; on disk until it is uploaded.
    """

    def __init__(
        self,
        *,
        outgoing: Outgoing,
        content: AnyContent,
        source: MediaSource,
        share: Share[SharedFile] | None = None,
    ) -> None:
        self._outgoing = outgoing
        self._content = content
        self._source = source
        self._share = share
        self._directory: Path | None = None
        self.attachment: Attachment | None = None
        self.prepared: Prepared | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it is uploaded."""
        return self.attachment is not None

    async def run(self, session: Session) -> None:
        """Prepare and upload it, after the other files of its session.

        Raises:
            MediaUnavailableError: It is not there.
            MediaTooLargeError: It is larger than its kind may be.
            MediaRefusedError: It is not what its kind may be, or the worker does not go there.
            DependencyError: What it takes is unavailable now.
            SessionNotConnectedError: The session's host is not connected any more.
            GatewayError: WhatsApp did not take it.
        """
        kind = self._content.kind
        if self._is_shared(session.session_id):
            return
        async with self._outgoing.turn(session.session_id):
            if self.prepared is None:
                self._directory = session.directory
                self.prepared = await self._outgoing.prepare(self._wanted(session))
            file = self.prepared.file
            with self._outgoing.observed(kind, "upload"):
                call = UploadMedia(path=str(file.path), media_type=_TYPES[kind])
                uploaded = await session.request(call)
            self.attachment = _attachment(file, uploaded)
        await self.close()
        if self._share is not None:
            shared = SharedFile(attachment=self.attachment, prepared=self.prepared)
            self._share.put(shared, session.session_id, *self._identity())

    async def close(self) -> None:
        """Remove the file, if it is on disk."""
        if self._directory is not None and self.prepared is not None:
            await self._outgoing.discard(self._directory, self.prepared)
            self._directory = None
            if self.attachment is None:
                self.prepared = None

    def _wanted(self, session: Session) -> Wanted:
        return Wanted(
            session_id=session.session_id,
            directory=session.directory,
            kind=self._content.kind,
            source=self._source,
            file_name=self._file_name,
            is_gif=self._is_gif,
        )

    @property
    def _file_name(self) -> str | None:
        name: str | None = getattr(self._content, "file_name", None)
        return name

    @property
    def _is_gif(self) -> bool:
        is_gif: bool = getattr(self._content, "gif", False)
        return is_gif

    def _is_shared(self, session_id: str) -> bool:
        """Take the file from an earlier row of the bulk, if one has carried it."""
        shared = None
        if self._share is not None:
            shared = self._share.get(session_id, *self._identity())
        if shared is None:
            return False
        self.attachment, self.prepared = shared.attachment, shared.prepared
        return True

    def _identity(self) -> tuple[Hashable, ...]:
        """Return what makes a file another one."""
        source = self._source.model_dump_json()
        return self._content.kind, self._is_gif, self._file_name, source


def _attachment(file: MediaFile, uploaded: Uploaded) -> Attachment:
    return Attachment(
        uploaded=uploaded,
        mime_type=file.mime_type,
        seconds=file.seconds,
        width=file.width,
        height=file.height,
        waveform=file.waveform,
        thumbnail=file.thumbnail,
        animated=file.animated,
    )


def upload_of(
    outgoing: Outgoing, content: AnyContent, share: Share[SharedFile] | None = None
) -> AttachmentUpload | None:
    """Return what becomes of the file of a content; None if it has none.

    Args:
        outgoing: Prepares it.
        content: What it belongs to.
        share: Of a row of a bulk, the files of that bulk.
    """
    source: MediaSource | None = getattr(content, "media", None)
    if source is None:
        return None
    return AttachmentUpload(outgoing=outgoing, content=content, source=source, share=share)


def told_of(content: AnyContent, upload: AttachmentUpload | None) -> dict[str, Any]:
    """Return what the history has of the file of a content, as fields; none if it has no file.

    Args:
        content: What was sent.
        upload: Its file; None if it was sent by a run that has left no more than the message.
    """
    if getattr(content, "media", None) is None:
        return {}
    prepared = None if upload is None else upload.prepared
    if prepared is None:
        return {"media": Media(state=MediaState.OFF)}
    file = prepared.file
    media = Media(
        state=MediaState.OFF if prepared.key is None else MediaState.READY,
        key=prepared.key,
        mime_type=file.mime_type,
        size=file.size,
        sha256=file.sha256,
        seconds=file.seconds,
        width=file.width,
        height=file.height,
        waveform=None if file.waveform is None else tuple(file.waveform),
    )
    return {"media": media, "animated": True} if file.animated else {"media": media}
