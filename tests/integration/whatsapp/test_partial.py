"""What does not fit is told in part by the real library's hosts, and kept aside."""

from pathlib import Path

import pytest

from gateway_contracts import TextContent, UnsupportedContent
from gateway_worker.host_protocol.framing import MAX_BODY_BYTES
from gateway_worker.sandbox.service.faults import Faults
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import InboundMessage, InboundReceipt
from tests.support.eventually import eventually
from tests.unit.whatsapp.library_messages import e2e
from tests.unit.whatsapp.test_convert_partial import nested

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

IDS = 1_200


def kept(account: Account) -> list[Path]:
    """Return what is kept aside."""
    return sorted((account.directory / "quarantine").glob("*"))


@pytest.mark.parametrize(
    "alterations",
    [
        {"t": "-5"},
        {"t": "0"},
        {"t": "1790000000000"},
        {"t": "1831000000000"},
        {"id": "two words"},
        {"id": "\u00fcmlaut"},
        {"id": "L" * 300},
    ],
    ids=str,
)
async def test_a_message_with_a_field_out_of_range(
    stage: Stage, shop: Account, alterations: dict[str, str]
) -> None:
    """Its text arrives with a flag, what the library had is kept, and the next one is whole."""
    ben = await stage.customer()
    before = len(kept(shop))
    stage.sandbox.faults.set(shop.phone.number, Faults(altered=1, alterations=alterations))
    await ben.send_text(shop.phone.number, "odd")
    odd = await shop.next(InboundMessage)
    await ben.send_text(shop.phone.number, "usual")
    usual = await shop.next(InboundMessage)

    assert (odd.content, odd.partial) == (TextContent(text="odd"), True)
    assert (usual.content, usual.partial) == (TextContent(text="usual"), False)
    assert len(kept(shop)) == before + 1
    assert b"odd" in kept(shop)[-1].read_bytes()


async def test_a_content_that_nests_too_deep(stage: Stage, shop: Account) -> None:
    """The library reads it and Python does not: who wrote is told, and the record is kept."""
    ben = await stage.customer()
    before = len(kept(shop))
    message_id = await ben.send_raw(shop.phone.number, nested(150))

    arrived = await shop.next(InboundMessage)

    assert (arrived.message_id, arrived.partial) == (message_id, True)
    assert arrived.sender.phone_number == f"+{ben.number}"
    assert arrived.content == UnsupportedContent(message_type="unreadable")
    assert len(kept(shop)) == before + 1


async def test_a_receipt_that_names_very_many_messages(stage: Stage, shop: Account) -> None:
    """It becomes many events, and no name is left out."""
    ben = await stage.customer()
    names = [f"{number:04d}{'X' * 100}" for number in range(IDS)]
    attrs: Attrs = {"from": ben.jid, "id": names[0], "type": "read", "t": "1790000000"}
    items = tuple(Node("item", {"id": name}) for name in names[1:])
    stage.sandbox.connections.inject(
        shop.phone.number, Node("receipt", attrs, (Node("list", {}, items),))
    )

    found: list[str] = []
    while len(found) < IDS:
        receipt = await shop.next(InboundReceipt, lambda one: one.message_id in names)
        found.append(receipt.message_id)
    assert found == names


async def test_a_message_that_no_frame_takes(stage: Stage, shop: Account) -> None:
    """It is announced by its kind, counted and kept aside, and the next one arrives as usual."""
    ben = await stage.customer()
    before, noticed = len(kept(shop)), stage.processes.notices["record_partial"]
    cards = [e2e.ContactMessage(displayName="Carl", vcard="\N{CJK UNIFIED IDEOGRAPH-4E00}" * 8_000)]
    content = e2e.Message(contactsArrayMessage=e2e.ContactsArrayMessage(contacts=cards * 200))
    assert content.ByteSize() > MAX_BODY_BYTES

    message_id = await ben.send_raw(shop.phone.number, content.SerializeToString())
    arrived = await shop.next(InboundMessage)
    await ben.send_text(shop.phone.number, "usual")
    usual = await shop.next(InboundMessage)

    assert (arrived.message_id, arrived.partial) == (message_id, True)
    assert arrived.sender.phone_number == f"+{ben.number}"
    assert arrived.content == UnsupportedContent(message_type="contact")
    assert (usual.content, usual.partial) == (TextContent(text="usual"), False)
    assert len(kept(shop)) == before + 1
    await eventually(lambda: stage.processes.notices["record_partial"] == noticed + 1)
