"""From an uploaded file to the message about it, in the wrappers that phones use."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from gateway_worker.sandbox.phones.errors import InvalidContentError
from gateway_worker.sandbox.phones.media.draft import Flaw
from gateway_worker.sandbox.phones.media.kinds import FORMS, MediaKind
from gateway_worker.sandbox.phones.wa_e2e import Message

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.media.draft import MediaDraft
    from gateway_worker.sandbox.phones.media.uploads import Uploaded

HOST_URL: Final = "https://mmg.whatsapp.net"
WAVEFORM_BYTES: Final = 64
_SOUNDS: Final = frozenset((MediaKind.AUDIO, MediaKind.VOICE))
_TIMED: Final = _SOUNDS | {MediaKind.VIDEO, MediaKind.GIF, MediaKind.VIDEO_NOTE}
_NOWHERE: Final = "/v/t62.7118-24/1_1_n.enc?ccb=11-4&oh=none&oe=0"


def compose(draft: MediaDraft, uploaded: Uploaded) -> Message:
    """Return the message that a phone sends.

    Raises:
        InvalidContentError: something is said of the file that cannot be said of its kind.
    """
    message = Message()
    part = getattr(message, FORMS[draft.kind].field)
    _announce(part, draft, uploaded)
    _describe(part, draft)
    if draft.ephemeral_seconds is not None:
        part.contextInfo.expiration = draft.ephemeral_seconds
    for wrapper in _wrappers(draft):
        message = _wrapped(message, wrapper)
    return message


def _announce(part: Any, draft: MediaDraft, uploaded: Uploaded) -> None:
    hashes, flaw = uploaded.hashes, draft.flaw
    path = _NOWHERE if flaw is Flaw.DIRECT_PATH else uploaded.direct_path
    part.mimetype = draft.mime_type or FORMS[draft.kind].mime_type
    if flaw is not Flaw.NO_DIRECT_PATH:
        part.URL, part.directPath = f"{HOST_URL}{path}&mms3=true", path
    part.mediaKey = _wrong_if(uploaded.media_key, flaw is Flaw.MEDIA_KEY)
    part.fileSHA256 = _wrong_if(hashes.sha256, flaw is Flaw.FILE_SHA256)
    part.fileEncSHA256 = _wrong_if(hashes.enc_sha256, flaw is Flaw.FILE_ENC_SHA256)
    part.fileLength = hashes.size + (flaw is Flaw.FILE_LENGTH)
    part.mediaKeyTimestamp = int(time.time())


def _describe(part: Any, draft: MediaDraft) -> None:
    kind = draft.kind
    thumbnail = "pngThumbnail" if kind is MediaKind.STICKER else "JPEGThumbnail"
    said = {
        "caption": draft.caption or None,
        "seconds": 1 if draft.seconds is None and kind in _TIMED else draft.seconds,
        "width": draft.width,
        "height": draft.height,
        thumbnail: draft.thumbnail,
    }
    for name, value in said.items():
        if value is None:
            continue
        if name not in part.DESCRIPTOR.fields_by_name:
            raise InvalidContentError(f"{kind} has no {name}")
        setattr(part, name, value)
    _mark(part, draft)


def _mark(part: Any, draft: MediaDraft) -> None:
    """Say what tells a kind from others in the same field."""
    kind = draft.kind
    if kind is MediaKind.VOICE:
        part.PTT = True
        part.waveform = draft.waveform or bytes(
            secrets.randbelow(101) for _ in range(WAVEFORM_BYTES)
        )
    elif kind is MediaKind.GIF:
        part.gifPlayback = True
    elif kind is MediaKind.DOCUMENT:
        part.fileName = part.title = draft.file_name or "document"
    elif kind is MediaKind.STICKER:
        part.isAnimated = draft.animated
    if (draft.view_once or draft.phone_only) and "viewOnce" in part.DESCRIPTOR.fields_by_name:
        part.viewOnce = True


def _wrappers(draft: MediaDraft) -> list[str]:
    """Return the wrappers from the inmost to the outmost."""
    found = []
    if draft.kind is MediaKind.DOCUMENT and draft.caption:
        found.append("documentWithCaptionMessage")
    if draft.view_once or draft.phone_only:
        sound = draft.kind in _SOUNDS
        found.append("viewOnceMessageV2Extension" if sound else "viewOnceMessageV2")
    if draft.ephemeral_seconds is not None:
        found.append("ephemeralMessage")
    return found


def _wrapped(message: Message, wrapper: str) -> Message:
    outer = Message()
    getattr(outer, wrapper).message.CopyFrom(message)
    return outer


def _wrong_if(value: bytes, wrong: bool) -> bytes:  # noqa: FBT001 - read where it is called
    return bytes([value[0] ^ 1]) + value[1:] if wrong else value
