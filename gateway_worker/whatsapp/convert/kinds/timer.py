"""When a chat's messages disappear."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.people import People


def _convert(value: Any, _people: People) -> Converted:
    return Converted(content={"kind": "timer", "seconds": value.ephemeralExpiration})


KIND: Final = Kind(
    name="timer",
    compose=None,
    fields={"protocolMessage.EPHEMERAL_SETTING": _convert},
    event="wa.chat.timer_changed.v1",
)
