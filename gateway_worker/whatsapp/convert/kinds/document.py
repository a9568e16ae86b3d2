"""Documents: files of any type."""

from typing import Any, Final

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.whatsapp.convert.captions import caption_of
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.media import attached, file_of, outlined, wrapped
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

_NAME_CHARACTERS: Final = 1_024


def _compose(content: Content, composing: Composing) -> Any:
    library, caption = composing.library, content.get("caption")
    name = content.get("file_name")  # what is forwarded may have none
    document = library.DocumentMessage(
        **attached(composing.attachment, "thumbnail"),
        fileName=name,
        title=name,
        caption=caption,
        contextInfo=composing.context,
    )
    if caption:  # phones show it only so
        return wrapped(library, "documentWithCaptionMessage", documentMessage=document)
    return library.Message(documentMessage=document)


def _quote(content: Content, composing: Composing) -> Any:
    library, name = composing.library, content.get("file_name")
    document = library.DocumentMessage(
        **outlined(content["media"]), fileName=name, title=name, caption=content.get("caption")
    )
    return library.Message(documentMessage=document)


def _convert(value: Any, people: People) -> Converted:
    file = file_of(value, MediaType.DOCUMENT)
    caption, is_whole = caption_of(value, people)
    name = value.fileName or value.title
    named = {"file_name": short(name, _NAME_CHARACTERS)} if name else {}
    return Converted(
        content={"kind": "document", "media": file.told, **named, **caption},
        is_partial=file.is_partial or not is_whole or len(name) > _NAME_CHARACTERS,
        media=file.reference,
    )


KIND: Final = Kind(
    name="document", compose=_compose, quote=_quote, fields={"documentMessage": _convert}
)
