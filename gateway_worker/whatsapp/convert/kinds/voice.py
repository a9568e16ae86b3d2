"""Voice notes."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.media import attached, file_of, outlined, wrapped
from gateway_worker.whatsapp.convert.people import People

_OPUS: Final = "audio/ogg; codecs=opus"
"""Phones do not play a voice note that says less."""


def _compose(content: Content, composing: Composing) -> Any:
    library, is_view_once = composing.library, content.get("view_once", False)
    fields = attached(composing.attachment, "seconds", "waveform")
    if fields["mimetype"].startswith("audio/ogg"):
        fields["mimetype"] = _OPUS
    voice = library.AudioMessage(
        **fields, PTT=True, viewOnce=is_view_once or None, contextInfo=composing.context
    )
    if is_view_once:
        return wrapped(library, "viewOnceMessageV2Extension", audioMessage=voice)
    return library.Message(audioMessage=voice)


def _quote(content: Content, composing: Composing) -> Any:
    library = composing.library
    voice = library.AudioMessage(**outlined(content["media"], "seconds"), PTT=True)
    return library.Message(audioMessage=voice)


def _convert(value: Any, _people: People) -> Converted:
    file = file_of(value, MediaType.AUDIO)
    content = {"kind": "voice", "media": file.told, "view_once": value.viewOnce}
    return Converted(content=content, is_partial=file.is_partial, media=file.reference)


KIND: Final = Kind(
    name="voice", compose=_compose, quote=_quote, fields={"audioMessage.PTT": _convert}
)
