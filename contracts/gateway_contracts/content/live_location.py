"""Where somebody is, now and for a while."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway_contracts.content.location import Latitude, Longitude
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, WireModel, whole

Accuracy = Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(whole)]


class LiveLocationToSend(WireModel):
    """A place where somebody is. WhatsApp's apps show it as the present one."""

    kind: Literal["live_location"] = "live_location"
    latitude: Latitude = Field(description="In degrees, north of the equator.", examples=[52.52])
    longitude: Longitude = Field(description="In degrees, east of Greenwich.", examples=[13.405])
    caption: Annotated[FreeText, Field(min_length=1, max_length=1_024), PERSONAL] | None = None
    accuracy_meters: Accuracy | None = None


class LiveLocationContent(WireModel):
    """Where somebody was when it was sent. What moves it later does not reach linked devices."""

    kind: Literal["live_location"] = "live_location"
    latitude: Latitude
    longitude: Longitude
    caption: Annotated[str, PERSONAL] | None = None
    accuracy_meters: Accuracy | None = None
