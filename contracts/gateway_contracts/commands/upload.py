"""Commands that make room for files to send, and what they return."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import MediaId, Sha256
from gateway_contracts.model import MEDIA_TYPE_PATTERN, Timestamp, WireModel, whole

MediaType = Annotated[str, Field(max_length=255, pattern=MEDIA_TYPE_PATTERN)]
"""A media type, such as `image/jpeg`."""


class MediaUploadUrlData(WireModel):
    """The file that is to be put there; nothing else is taken."""

    mime_type: MediaType = Field(examples=["image/jpeg"])
    size: Annotated[int, Field(ge=1, le=2_147_483_648), BeforeValidator(whole)] = Field(
        description="In bytes."
    )
    sha256: Sha256 | None = None


class MediaUploadUrl(CommandEnvelope):
    """Ask for a place in the gateway's bucket to put a file to send."""

    type: Literal["wa.media.upload_url.v1"] = "wa.media.upload_url.v1"
    data: MediaUploadUrlData


class MediaUpload(WireModel):
    """A place for a file: whoever has the URL may put that file there, until it expires."""

    kind: Literal["upload"] = "upload"
    media_id: MediaId = Field(description="What the file is sent under, any number of times.")
    url: Annotated[str, PERSONAL]
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str] = Field(description="What the request must have, by name.")
    expires_at: Timestamp


UploadCommand = MediaUploadUrl
"""Every command of this family."""

UploadResult = MediaUpload
"""What they return."""
