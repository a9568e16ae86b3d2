"""Files that belong to messages: where one to send is, what is known of one that has arrived."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.errors import ErrorCode
from gateway_contracts.marks import PERSONAL, Part
from gateway_contracts.model import (
    OBJECT_KEY_PATTERN,
    PRINTABLE_PATTERN,
    SHA256_PATTERN,
    URL_PATTERN,
    Timestamp,
    WireModel,
)
from gateway_contracts.unions import told_apart_by

MediaId = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=PRINTABLE_PATTERN),
    Part(
        module=__name__,
        name="MediaId",
        description="Names a file that the gateway knows of.",
        examples=("01939d4e-6a1f-7c3e-8a55-3f1d2b9c7e10",),
    ),
]
"""A file's id, made by the gateway."""

ObjectKey = Annotated[
    str,
    Field(max_length=900, pattern=OBJECT_KEY_PATTERN),
    Part(
        module=__name__,
        name="ObjectKey",
        description="The key of an object in the gateway's bucket, without the prefix that is set "
        "for it, below `media/`, `uploads/` or `shared/`.",
        examples=("shared/catalogue/2026.pdf",),
    ),
]
"""The key of an object that may be sent."""


class ObjectSource(WireModel):
    """A file in the gateway's bucket."""

    source: Literal["object"] = "object"
    key: ObjectKey


class UrlSource(WireModel):
    """A file that the gateway fetches."""

    source: Literal["url"] = "url"
    url: Annotated[str, Field(max_length=4_096, pattern=URL_PATTERN), PERSONAL] = Field(
        description="Where it is; `https`, unless the gateway is set up otherwise.",
        examples=["https://files.example/invoice.pdf"],
    )


class UploadSource(WireModel):
    """A file that the gateway has under an id."""

    source: Literal["upload"] = "upload"
    media_id: MediaId


_Source = ObjectSource | UrlSource | UploadSource

MediaSource = Annotated[
    _Source,
    told_apart_by("source", _Source),
    Part(
        module=__name__,
        name="MediaSource",
        description="Where a file to send is, told apart by `source`.",
    ),
]
"""Where a file to send is."""

Sha256 = Annotated[
    str,
    Field(
        pattern=SHA256_PATTERN,
        description="SHA-256 of the file, in lower-case hexadecimal.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
"""A file's hash."""

Waveform = Annotated[tuple[Annotated[int, Field(ge=0, le=100)], ...], Field(max_length=64)]
"""How loud a sound is over its time."""


class MediaState(StrEnum):
    """How far the gateway has got with a file."""

    PENDING = "pending"
    """It is being fetched; `media.ready` or `media.failed` follows."""
    DEFERRED = "deferred"
    """It is fetched when `media.get` asks for it."""
    OFF = "off"
    """It is not fetched."""
    READY = "ready"
    """It is in the gateway's bucket, under `key`."""
    FAILED = "failed"
    """It could not be fetched; `error` says why."""


class MediaError(WireModel):
    """Why a file is not there."""

    code: ErrorCode
    detail: str = Field(description="What happened, for a person to read.")
    recoverable: bool = Field(description="Whether it may be had later.")


class Media(WireModel):
    """A file that belongs to a message.

    What it is like (`mime_type`, `size`, `seconds`, …) is what its sender says until the gateway
    has the file.
    """

    state: MediaState
    media_id: MediaId | None = Field(
        None, description="What `media.get` asks for it by; absent if it cannot be had."
    )
    mime_type: str | None = Field(
        None, max_length=255, description="Its media type.", examples=["image/jpeg"]
    )
    size: Annotated[int, Field(ge=0)] | None = Field(None, description="In bytes.")
    sha256: Sha256 | None = None
    seconds: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How long a sound or a video plays."
    )
    width: Annotated[int, Field(ge=1)] | None = Field(None, description="In pixels.")
    height: Annotated[int, Field(ge=1)] | None = Field(None, description="In pixels.")
    waveform: Waveform | None = Field(
        None, description="Of a voice note: how loud it is over its time, from 0 to 100."
    )
    key: str | None = Field(
        None, max_length=1_024, description="Its object in the gateway's bucket, once it is there."
    )
    thumbnail_key: str | None = Field(
        None, max_length=1_024, description="A small picture of it (JPEG), likewise."
    )
    url: Annotated[str, PERSONAL] | None = Field(
        None, description="Where it can be read until `url_expires_at`, by whoever has the URL."
    )
    url_expires_at: Timestamp | None = None
    cdn_url: Annotated[str, PERSONAL] | None = Field(
        None, description="Where it can be read through the CDN that the gateway is set up with."
    )
    error: MediaError | None = None
