"""A thing for sale."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

_TEXT_CHARACTERS: Final = 4_096


def _convert(value: Any, people: People) -> Converted:
    product = value.product
    texts = {
        "title": product.title,
        "description": product.description,
        "currency": product.currencyCode,
        "url": product.URL,
        "text": value.body,
    }
    content: dict[str, Any] = {
        "kind": "product",
        "product_id": short(product.productID, _TEXT_CHARACTERS),
        **{key: short(text, _TEXT_CHARACTERS) for key, text in texts.items() if text},
    }
    if product.priceAmount1000:
        content |= {"price_thousandths": product.priceAmount1000}
    if value.businessOwnerJID:
        content |= {"business": people.named(value.businessOwnerJID)}
    is_cut = any(len(text) > _TEXT_CHARACTERS for text in (product.productID, *texts.values()))
    return Converted(content=content, is_partial=is_cut)


KIND: Final = Kind(name="product", compose=None, fields={"productMessage": _convert})
