"""Text: plain, or with people named, a message quoted, a link's preview, or as a status post."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.captions import mentioned, written
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

_OPAQUE: Final = 0xFF000000
_WHITE: Final = 0xFFFFFFFF
_COLOR: Final = 0xFFFFFF
_FONTS: Final = {
    "system": "SYSTEM",
    "system_text": "SYSTEM_TEXT",
    "system_bold": "SYSTEM_BOLD",
    "script": "FB_SCRIPT",
    "morning_breeze": "MORNINGBREEZE_REGULAR",
    "calistoga": "CALISTOGA_REGULAR",
    "exo2": "EXO2_EXTRABOLD",
    "courier_prime": "COURIERPRIME_BOLD",
}
"""The library's names by the contract's."""
_NAMES: Final = {name: font for font, name in _FONTS.items()}
MAX_PREVIEW_CHARACTERS: Final = 8_192
"""Of each part of a link's preview that arrives."""


def _compose(content: Content, composing: Composing) -> Any:
    library, text = composing.library, content["text"]
    preview, background = content.get("link_preview"), content.get("background")
    if composing.context is None and preview is None and background is None:
        return library.Message(conversation=text)
    extended = library.ExtendedTextMessage(text=text, contextInfo=composing.context)
    if background is not None:
        extended.backgroundArgb = _OPAQUE | int(background.removeprefix("#"), 16)
        extended.textArgb = _WHITE
        extended.font = getattr(library.ExtendedTextMessage, _FONTS[content.get("font", "system")])
    if preview is not None:
        extended.matchedText = preview["url"]
        extended.title = preview.get("title", "")
        extended.description = preview.get("description", "")
        if composing.thumbnail is not None:
            extended.JPEGThumbnail = composing.thumbnail
    return library.Message(extendedTextMessage=extended)


def _plain(value: Any, _people: People) -> Converted:
    text, is_whole = written(value)
    return Converted(content={"kind": "text", "text": text}, is_partial=not is_whole)


def _extended(value: Any, people: People) -> Converted:
    text, is_whole = written(value.text)
    mentions, are_all = mentioned(value, people)
    content: dict[str, Any] = {"kind": "text", "text": text}
    if mentions:
        content["mentions"] = mentions
    if value.contextInfo.nonJIDMentions:
        content["mention_all"] = True
    if value.matchedText:
        content["link_preview"] = _preview(value)
    return Converted(content=content | _look(value), is_partial=not (is_whole and are_all))


def _look(value: Any) -> dict[str, Any]:
    """Return what a text stands on and in which letters, if it says so: status posts do."""
    if not value.backgroundArgb:
        return {}
    look = {"background": f"#{value.backgroundArgb & _COLOR:06X}"}
    if not value.HasField("font"):  # nor has one of a later release
        return look
    name = value.DESCRIPTOR.fields_by_name["font"].enum_type.values_by_number[value.font].name
    return look | {"font": _NAMES[name]} if name in _NAMES else look


def _preview(value: Any) -> dict[str, Any]:
    """Return what a text shows of a page."""
    fields = {
        "url": short(value.matchedText, MAX_PREVIEW_CHARACTERS),
        "title": short(value.title, MAX_PREVIEW_CHARACTERS),
        "description": short(value.description, MAX_PREVIEW_CHARACTERS),
    }
    return {name: text for name, text in fields.items() if text}


KIND: Final = Kind(
    name="text",
    compose=_compose,
    quote=_compose,
    fields={"conversation": _plain, "extendedTextMessage": _extended},
)
