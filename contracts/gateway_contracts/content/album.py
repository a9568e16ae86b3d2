"""The frame of several pictures and videos that are shown as one."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway_contracts.model import WireModel, whole

Count = Annotated[int, Field(ge=0, le=100), BeforeValidator(whole)]


class AlbumToSend(WireModel):
    """The frame of an album. What is in it follows: `message.send` with its id as `album_id`."""

    kind: Literal["album"] = "album"
    images: Count = Field(0, description="How many pictures follow.")
    videos: Count = Field(0, description="How many videos follow.")


class AlbumContent(WireModel):
    """The frame of an album as it arrived. What is in it has its id as `album_id`."""

    kind: Literal["album"] = "album"
    images: int = Field(0, description="How many pictures follow, says the sender's app.")
    videos: int = Field(0, description="How many videos follow.")
