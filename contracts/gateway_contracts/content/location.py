"""A place on the map."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, WireModel

Latitude = Annotated[float, Field(ge=-90, le=90), PERSONAL]
Longitude = Annotated[float, Field(ge=-180, le=180), PERSONAL]
_Short = Annotated[FreeText, Field(min_length=1, max_length=1_024), PERSONAL]


class LocationToSend(WireModel):
    """A place to send."""

    kind: Literal["location"] = "location"
    latitude: Latitude = Field(description="In degrees, north of the equator.", examples=[52.52])
    longitude: Longitude = Field(description="In degrees, east of Greenwich.", examples=[13.405])
    place: _Short | None = Field(None, description="What the place is called.")
    street_address: _Short | None = Field(None, description="Its address, shown below the name.")


class LocationContent(WireModel):
    """A place as it arrived."""

    kind: Literal["location"] = "location"
    latitude: Latitude
    longitude: Longitude
    place: Annotated[str, PERSONAL] | None = None
    street_address: Annotated[str, PERSONAL] | None = None
