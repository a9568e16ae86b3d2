"""Files that phones send and get. In JSON, bytes are base64."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from pydantic import Field, field_serializer, field_validator, model_validator

from gateway_worker.sandbox.control.models.base import Body
from gateway_worker.sandbox.phones.media.draft import Flaw, MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind


def _from_json(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _to_json(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


class NewMedia(Body):
    """Send a file, given by its data or by its path on this machine; see `MediaDraft`."""

    to: str
    kind: MediaKind
    data: bytes | None = None
    path: str | None = None
    mime_type: str = ""
    caption: str = ""
    file_name: str = ""
    seconds: int | None = Field(default=None, ge=0)
    width: int | None = Field(default=None, ge=1)
    height: int | None = Field(default=None, ge=1)
    waveform: bytes | None = None
    thumbnail: bytes | None = None
    animated: bool = False
    view_once: bool = False
    phone_only: bool = False
    ephemeral_seconds: int | None = Field(default=None, ge=0)
    flaw: Flaw | None = None
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_one_file(self) -> NewMedia:
        if (self.data is None) == (self.path is None):
            raise ValueError("a file is given by its data or by its path")
        return self

    @field_validator("data", "waveform", "thumbnail", mode="before")
    @classmethod
    def _decode(cls, value: Any) -> Any:
        return _from_json(value)

    @field_serializer("data", "waveform", "thumbnail", when_used="json")
    def _encode(self, value: bytes | None) -> str | None:
        return _to_json(value)

    def draft(self) -> MediaDraft:
        """Return the phones' value."""
        fields = self.model_dump(exclude={"to", "reply_to", "mentions", "path"})
        return MediaDraft(path=None if self.path is None else Path(self.path), **fields)


class MediaView(Body):
    """A message's file as the phone has it; see `phones.media.attachment.Attachment`.

    Attributes:
        is_checked: whether the phone has downloaded and decrypted it, and found what was announced.
        error: why not, if it tried.
    """

    kind: MediaKind
    mime_type: str
    size: int
    sha256: str
    seconds: int | None
    width: int | None
    height: int | None
    file_name: str
    waveform: tuple[int, ...]
    animated: bool
    view_once: bool
    is_checked: bool
    error: str


class MediaBytes(Body):
    """A message's file, decrypted."""

    message_id: str
    mime_type: str
    data: bytes

    @field_validator("data", mode="before")
    @classmethod
    def _decode(cls, value: Any) -> Any:
        return _from_json(value)

    @field_serializer("data", when_used="json")
    def _encode(self, value: bytes) -> str | None:
        return _to_json(value)
