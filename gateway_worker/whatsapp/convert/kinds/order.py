"""What somebody wants to buy."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

_TEXT_CHARACTERS: Final = 4_096


def _convert(value: Any, people: People) -> Converted:
    texts = {
        "title": value.orderTitle,
        "currency": value.totalCurrencyCode,
        "text": value.message,
        "token": value.token,
    }
    content: dict[str, Any] = {
        "kind": "order",
        "order_id": short(value.orderID, _TEXT_CHARACTERS),
        "items": value.itemCount,
        **{key: short(text, _TEXT_CHARACTERS) for key, text in texts.items() if text},
    }
    if value.totalAmount1000:
        content |= {"total_thousandths": value.totalAmount1000}
    if value.sellerJID:
        content |= {"business": people.named(value.sellerJID)}
    is_cut = any(len(text) > _TEXT_CHARACTERS for text in (value.orderID, *texts.values()))
    return Converted(content=content, is_partial=is_cut)


KIND: Final = Kind(name="order", compose=None, fields={"orderMessage": _convert})
