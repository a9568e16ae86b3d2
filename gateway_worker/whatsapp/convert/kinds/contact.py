"""Cards of people, one or several in a message."""

from collections.abc import Sequence
from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

_MOST_CARDS: Final = 256
_NAME_CHARACTERS: Final = 1_024
_CARD_CHARACTERS: Final = 8_192


def _compose(content: Content, composing: Composing) -> Any:
    library = composing.library
    cards = [
        library.ContactMessage(displayName=card["display_name"], vcard=card["vcard"])
        for card in content["cards"]
    ]
    if len(cards) == 1:
        card = cards[0]
        if composing.context is not None:
            card.contextInfo.CopyFrom(composing.context)
        return library.Message(contactMessage=card)
    several = library.ContactsArrayMessage(
        displayName=cards[0].displayName if cards else "",  # some who write send none
        contacts=cards,
        contextInfo=composing.context,
    )
    return library.Message(contactsArrayMessage=several)


def _one(value: Any, _people: People) -> Converted:
    return _converted([value])


def _several(value: Any, _people: People) -> Converted:
    return _converted(value.contacts)


def _converted(cards: Sequence[Any]) -> Converted:
    told = [
        {
            "display_name": short(card.displayName, _NAME_CHARACTERS),
            "vcard": short(card.vcard, _CARD_CHARACTERS),
        }
        for card in cards[:_MOST_CARDS]
    ]
    is_cut = len(cards) > _MOST_CARDS or any(
        len(card.displayName) > _NAME_CHARACTERS or len(card.vcard) > _CARD_CHARACTERS
        for card in cards
    )
    return Converted(content={"kind": "contact", "cards": told}, is_partial=is_cut)


KIND: Final = Kind(
    name="contact",
    compose=_compose,
    quote=_compose,
    fields={"contactMessage": _one, "contactsArrayMessage": _several},
)
