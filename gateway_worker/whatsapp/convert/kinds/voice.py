"""Voice notes."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.media import file_of
from gateway_worker.whatsapp.convert.people import People


def _convert(value: Any, _people: People) -> Converted:
    file = file_of(value, MediaType.AUDIO)
    content = {"kind": "voice", "media": file.told, "view_once": value.viewOnce}
    return Converted(content=content, is_partial=file.is_partial, media=file.reference)


KIND: Final = Kind(name="voice", compose=None, fields={"audioMessage.PTT": _convert})
