"""Where somebody is, now and for a while."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.places import on_earth
from gateway_worker.whatsapp.convert.texts import short

_TEXT_CHARACTERS: Final = 4_096
_MOST_METERS: Final = 1_000_000


def _compose(content: Content, composing: Composing) -> Any:
    place = composing.library.LiveLocationMessage(
        degreesLatitude=content["latitude"],
        degreesLongitude=content["longitude"],
        contextInfo=composing.context,
        sequenceNumber=1,
    )
    if caption := content.get("caption"):
        place.caption = caption
    if (meters := content.get("accuracy_meters")) is not None:
        place.accuracyInMeters = meters
    return composing.library.Message(liveLocationMessage=place)


def _convert(value: Any, _people: People) -> Converted:
    latitude, longitude, is_on_earth = on_earth(value)
    content = {"kind": "live_location", "latitude": latitude, "longitude": longitude}
    if value.caption:
        content["caption"] = short(value.caption, _TEXT_CHARACTERS)
    if value.accuracyInMeters:
        content |= {"accuracy_meters": min(value.accuracyInMeters, _MOST_METERS)}
    is_cut = len(value.caption) > _TEXT_CHARACTERS
    return Converted(content=content, is_partial=is_cut or not is_on_earth)


KIND: Final = Kind(
    name="live_location",
    compose=_compose,
    quote=_compose,
    fields={"liveLocationMessage": _convert},
)
