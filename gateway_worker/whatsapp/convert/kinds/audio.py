"""Sound files."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.media import attached, file_of, outlined
from gateway_worker.whatsapp.convert.people import People


def _compose(_content: Content, composing: Composing) -> Any:
    library, fields = composing.library, attached(composing.attachment, "seconds")
    sound = library.AudioMessage(**fields, contextInfo=composing.context)
    return library.Message(audioMessage=sound)


def _quote(content: Content, composing: Composing) -> Any:
    library = composing.library
    sound = library.AudioMessage(**outlined(content["media"], "seconds"))
    return library.Message(audioMessage=sound)


def _convert(value: Any, _people: People) -> Converted:
    file = file_of(value, MediaType.AUDIO)
    content = {"kind": "audio", "media": file.told}
    return Converted(content=content, is_partial=file.is_partial, media=file.reference)


KIND: Final = Kind(name="audio", compose=_compose, quote=_quote, fields={"audioMessage": _convert})
