"""What a message says about its file, and what became of the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gateway_worker.sandbox.phones.content import unwrapped
from gateway_worker.sandbox.phones.media.cipher import FileHashes
from gateway_worker.sandbox.phones.media.kinds import FORMS, MediaKind
from gateway_worker.sandbox.phones.wa_e2e import Message

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.content import Content

_SHOWN_AS: Final = frozenset(("image", "video", "audio", "voice", "document", "sticker"))
"""What a phone calls messages with a file (among `content.KINDS`)."""
_ONCE: Final = ("viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension")


@dataclass(slots=True, eq=False, kw_only=True)
class Attachment:
    """The file of a message.

    `is_checked` and `error` change once, when the phone has downloaded the file.

    Attributes:
        kind: what it was sent as.
        mime_type: as announced.
        hashes: as announced.
        seconds: of audio and video.
        width: in pixels.
        height: in pixels.
        file_name: of a document.
        waveform: of a voice message.
        thumbnail: a small picture.
        animated: whether a sticker moves.
        view_once: whether it may be seen once only.
        direct_path: where it is.
        media_key: what its keys are derived from.
        is_checked: whether it was downloaded, decrypted and found to be what was announced.
        error: why that failed; empty before, and when it did not.
    """

    kind: MediaKind
    mime_type: str
    hashes: FileHashes
    seconds: int | None
    width: int | None
    height: int | None
    file_name: str
    waveform: bytes
    thumbnail: bytes = field(repr=False)
    animated: bool
    view_once: bool
    direct_path: str = field(repr=False)
    media_key: bytes = field(repr=False)
    is_checked: bool = False
    error: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether the phone is through with it."""
        return self.is_checked or bool(self.error)

    @property
    def size(self) -> int:
        """Bytes of the plain file, as announced; checked where `is_checked`."""
        return self.hashes.size

    @property
    def sha256(self) -> str:
        """Of the plain file, in hexadecimal digits; as announced, and checked likewise."""
        return self.hashes.sha256.hex()


def attachment_of(content: Content) -> Attachment | None:
    """Return the file of a message, if it has one."""
    if content.kind not in _SHOWN_AS:
        return None
    message = Message.FromString(content.raw)
    inner = unwrapped(message)
    once = _is_view_once(message)
    for field_name in dict.fromkeys(form.field for form in FORMS.values()):
        if inner.HasField(field_name):
            return _read(field_name, getattr(inner, field_name), view_once=once)
    return None


def _is_view_once(message: Message) -> bool:
    """Tell whether a wrapper says so, for some kinds have no field for it."""
    inner = message
    for name in ("ephemeralMessage", "editedMessage"):
        if inner.HasField(name):
            inner = getattr(inner, name).message
    return any(inner.HasField(name) for name in _ONCE)


def _read(field_name: str, part: Any, *, view_once: bool) -> Attachment:
    return Attachment(
        kind=_kind(field_name, part),
        mime_type=part.mimetype,
        hashes=FileHashes(
            sha256=part.fileSHA256, enc_sha256=part.fileEncSHA256, size=part.fileLength
        ),
        seconds=getattr(part, "seconds", 0) or None,
        width=getattr(part, "width", 0) or None,
        height=getattr(part, "height", 0) or None,
        file_name=getattr(part, "fileName", ""),
        waveform=getattr(part, "waveform", b""),
        thumbnail=getattr(part, "JPEGThumbnail", b"") or getattr(part, "pngThumbnail", b""),
        animated=getattr(part, "isAnimated", False),
        view_once=view_once or getattr(part, "viewOnce", False),
        direct_path=part.directPath,
        media_key=part.mediaKey,
    )


def _kind(field_name: str, part: Any) -> MediaKind:
    if field_name == "audioMessage" and part.PTT:
        return MediaKind.VOICE
    if field_name == "videoMessage" and part.gifPlayback:
        return MediaKind.GIF
    return next(kind for kind, form in FORMS.items() if form.field == field_name)
