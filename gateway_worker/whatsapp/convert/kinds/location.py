"""A place on the map."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.places import on_earth
from gateway_worker.whatsapp.convert.texts import short

_TEXT_CHARACTERS: Final = 4_096


def _compose(content: Content, composing: Composing) -> Any:
    place = composing.library.LocationMessage(
        degreesLatitude=content["latitude"],
        degreesLongitude=content["longitude"],
        contextInfo=composing.context,
    )
    if name := content.get("place"):
        place.name = name
    if address := content.get("street_address"):
        place.address = address
    return composing.library.Message(locationMessage=place)


def _convert(value: Any, _people: People) -> Converted:
    latitude, longitude, is_on_earth = on_earth(value)
    content = {"kind": "location", "latitude": latitude, "longitude": longitude}
    texts = {"place": value.name, "street_address": value.address}
    content |= {key: short(text, _TEXT_CHARACTERS) for key, text in texts.items() if text}
    is_cut = any(len(text) > _TEXT_CHARACTERS for text in texts.values())
    return Converted(content=content, is_partial=is_cut or not is_on_earth)


KIND: Final = Kind(
    name="location", compose=_compose, quote=_compose, fields={"locationMessage": _convert}
)
