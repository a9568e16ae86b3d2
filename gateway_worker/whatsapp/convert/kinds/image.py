"""Pictures."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.captions import caption_of
from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.media import file_of
from gateway_worker.whatsapp.convert.people import People


def _convert(value: Any, people: People) -> Converted:
    file = file_of(value, MediaType.IMAGE)
    caption, is_whole = caption_of(value, people)
    return Converted(
        content={"kind": "image", "media": file.told, **caption, "view_once": value.viewOnce},
        is_partial=file.is_partial or not is_whole,
        media=file.reference,
    )


KIND: Final = Kind(name="image", compose=None, fields={"imageMessage": _convert})
