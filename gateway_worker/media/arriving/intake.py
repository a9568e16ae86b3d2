"""What becomes of a file the moment its message is recorded: its id, its state, its row."""

import base64
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from gateway_contracts import Media, MediaState
from gateway_contracts.envelope import SessionEventEnvelope, new_id
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.media.arriving.records import MediaRow
from gateway_worker.media.arriving.sealed import SealedReferences
from gateway_worker.media.settings import MediaDownload

EventT = TypeVar("EventT", bound=SessionEventEnvelope)


class _Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of a row is not in its message's event."""

    reference: bytes
    thumbnail: bytes | None = None


class MediaIntake:
    """Enters the files of messages.

    Args:
        download: When files are fetched.
        eager_limit_bytes: Larger ones are fetched when somebody asks for them.
        references: Seals what is stored of their places.
        waiting: Called with session and media id of each file that is to be fetched.
    """

    def __init__(
        self,
        *,
        download: MediaDownload,
        eager_limit_bytes: int,
        references: SealedReferences,
        waiting: Callable[[str, str], None],
    ) -> None:
        self._download = download
        self._eager_limit_bytes = eager_limit_bytes
        self._references = references
        self._waiting = waiting

    def enter(
        self, event: EventT, reference: MediaReference, *, session_id: str
    ) -> tuple[EventT, MediaRow | None]:
        """Return a message's event as it is to be told, and what is to be stored of its file.

        Args:
            event: As the host tells it.
            reference: Where its file is.
            session_id: Whose message it is.
        """
        media = _media_of(event)
        if media is None:
            return event, None
        media_id = new_id()
        media = media.model_copy(update={"media_id": media_id, "state": self._state(reference)})
        event = _with_media(event, media)
        sealed = self._references.seal(reference, session_id=session_id, media_id=media_id)
        return event, _row(event, media, _Kept(reference=sealed, thumbnail=reference.thumbnail))

    def stored(self, session_id: str, row: MediaRow) -> None:
        """Note that a row is committed."""
        if row.media.state is MediaState.PENDING:
            self._waiting(session_id, row.media_id)

    def _state(self, reference: MediaReference) -> MediaState:
        if self._download is MediaDownload.OFF:
            return MediaState.OFF
        is_large = reference.file_length > self._eager_limit_bytes
        is_lazy = self._download is MediaDownload.LAZY or is_large
        return MediaState.DEFERRED if is_lazy else MediaState.PENDING


def kept_form(row: MediaRow) -> str:
    """Write what of a row is not in its event, for where the two are kept or sent together."""
    kept = _Kept(reference=row.reference, thumbnail=row.thumbnail)
    return base64.b64encode(msgspec.msgpack.encode(kept)).decode()


def restored(event: SessionEventEnvelope, kept: str) -> MediaRow | None:
    """Return the row that belongs to an event, from `kept_form`; None if it is none.

    Raises:
        ValueError: It cannot be read.
    """
    media = _media_of(event)
    if media is None or media.media_id is None:
        return None
    try:
        read = msgspec.msgpack.decode(base64.b64decode(kept, validate=True), type=_Kept)
    except msgspec.MsgspecError as error:
        raise ValueError("what is kept of a file cannot be read") from error
    return _row(event, media, read)


def _media_of(event: SessionEventEnvelope) -> Media | None:
    """Return the file of a message's event, if it has one."""
    content = getattr(getattr(event, "data", None), "content", None)
    media = getattr(content, "media", None)
    return media if isinstance(media, Media) else None


def _with_media(event: EventT, media: Media) -> EventT:
    data: Any = getattr(event, "data", None)
    content = data.content.model_copy(update={"media": media})
    return event.model_copy(update={"data": data.model_copy(update={"content": content})})


def _row(event: SessionEventEnvelope, media: Media, kept: _Kept) -> MediaRow:
    data: Any = getattr(event, "data", None)
    assert media.media_id is not None
    return MediaRow(
        media_id=media.media_id,
        message_id=data.message_id,
        chat=data.chat,
        media=media,
        file_name=getattr(data.content, "file_name", None),
        reference=kept.reference,
        thumbnail=kept.thumbnail,
    )
