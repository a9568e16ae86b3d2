"""Every kind of content goes out to a phone and comes in from one."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_contracts import MessageReceived, MessageSend, MessageSendData, SentInfo
from tests.e2e.harness import Gateway
from tests.support.contents import CONTACT, LOCATION

PLACE = {
    "kind": "location",
    "latitude": 52.52,
    "longitude": 13.405,
    "place": "Harbour",
    "street_address": "1 Quay Street",
}
CARD = {
    "display_name": CONTACT["contactMessage"]["displayName"],
    "vcard": CONTACT["contactMessage"]["vcard"],
}
SEVERAL = {
    "contactsArrayMessage": {
        "displayName": CARD["display_name"],
        "contacts": [CONTACT["contactMessage"]] * 2,
    }
}
SENT_PLACE = {
    "locationMessage": {
        key: value for key, value in LOCATION["locationMessage"].items() if key != "JPEGThumbnail"
    }
}
KINDS = [
    pytest.param(PLACE, LOCATION, SENT_PLACE, id="location"),
    pytest.param({"kind": "contact", "cards": [CARD]}, CONTACT, CONTACT, id="contact"),
    pytest.param({"kind": "contact", "cards": [CARD] * 2}, SEVERAL, SEVERAL, id="contacts"),
]


@pytest.mark.parametrize(("told", "arriving", "sent"), KINDS)
async def test_a_kind_both_ways(
    gateway: Gateway,
    name: str,
    told: dict[str, Any],
    arriving: dict[str, Any],
    sent: dict[str, Any],
) -> None:
    """The phone shows what was sent, and the backend is told what the phone has written."""
    phone, other = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    data = MessageSendData.model_validate({"to": other.number, "content": told})

    result = await gateway.succeed(
        MessageSend(source=gateway.backend.source, subject=name, data=data)
    )
    assert isinstance(result, SentInfo)
    shown = await other.next_message(timeout=10)
    assert shown.message_id == result.message_id
    (field,) = sent
    assert shown.content[field].items() >= sent[field].items()

    message_id = await other.send_content(phone.number, arriving)
    event = await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.message_id == message_id
    )
    assert event.data.content.model_dump(exclude_none=True, mode="json") == told
    assert not event.data.partial
