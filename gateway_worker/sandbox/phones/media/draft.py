"""A file as somebody wants it sent by a phone."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from gateway_worker.sandbox.phones.media.kinds import MediaKind


class Flaw(enum.StrEnum):
    """What is wrong with what a message says about its file; the file itself is good.

    `DIRECT_PATH` names a file that was never uploaded, `NO_DIRECT_PATH` none at all.
    """

    FILE_SHA256 = "file_sha256"
    FILE_ENC_SHA256 = "file_enc_sha256"
    FILE_LENGTH = "file_length"
    MEDIA_KEY = "media_key"
    DIRECT_PATH = "direct_path"
    NO_DIRECT_PATH = "no_direct_path"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDraft:
    """A file and how it is shown; what is not given is as phones have it.

    Attributes:
        kind: what it is sent as.
        data: the file, or
        path: where it is, for one that is too large to be handed over.
        mime_type: by default that of the kind.
        caption: of an image, video, GIF or document; a document's is sent in a wrapper.
        file_name: of a document.
        seconds: of audio and video.
        width: in pixels.
        height: in pixels.
        waveform: of a voice message, 64 values from 0 to 100.
        thumbnail: a small JPEG (of a sticker: PNG).
        animated: whether a sticker moves.
        view_once: whether it may be seen once only: in the wrapper for the kind.
        phone_only: likewise, and linked devices get a placeholder instead of the message.
        ephemeral_seconds: after which it disappears: in a wrapper and in the context.
        flaw: what is wrong with what the message says.
    """

    kind: MediaKind
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None
    mime_type: str = ""
    caption: str = ""
    file_name: str = ""
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    waveform: bytes | None = None
    thumbnail: bytes | None = field(default=None, repr=False)
    animated: bool = False
    view_once: bool = False
    phone_only: bool = False
    ephemeral_seconds: int | None = None
    flaw: Flaw | None = None

    def __post_init__(self) -> None:
        """Check that there is one file.

        Raises:
            ValueError: there is none, or two.
        """
        if (self.data is None) == (self.path is None):
            raise ValueError("a file is given by its data or by its path")
