"""Which receipts a host keeps: what is news to a backend, and each of it once."""

from typing import Any

import pytest

from gateway_worker.whatsapp.host.receipts import MOST_IDS, ReceiptFilter
from tests.unit.whatsapp.library_messages import LID, events, jid, source


def of(kind: int, *ids: str, device: int = 0, own: bool = False) -> Any:
    """Return a receipt of somebody's device, or of the account's own."""
    sender = jid("801" if own else "802", LID, device)
    return events.Receipt(
        MessageSource=source(Chat=jid("802", LID), Sender=sender, IsFromMe=own),
        MessageIDs=ids,
        Timestamp=1,
        Type=kind,
    )


def kept(receipts: ReceiptFilter, event: Any) -> list[list[str]]:
    """Return the messages of each part of a receipt that is kept, and remember it."""
    found = []
    for part, key in receipts.news(event.SerializePartialToString()):
        found.append(list(events.Receipt.FromString(part).MessageIDs))
        assert key is not None
        receipts.keep(key)
    return found


@pytest.mark.parametrize("kind", [1, 4, 6, 9])
def test_what_others_confirm_is_kept_once(kind: int) -> None:
    """The second of their devices says nothing new."""
    receipts = ReceiptFilter()
    assert kept(receipts, of(kind, "A", "B")) == [["A", "B"]]
    assert kept(receipts, of(kind, "A", "B", device=3)) == []
    assert kept(receipts, of(kind, "C")) == [["C"]]


def test_what_the_owner_reads_elsewhere_is_kept() -> None:
    """And is another word than that somebody else has read; deliveries to the owner are none."""
    receipts = ReceiptFilter()
    assert kept(receipts, of(1, "A", own=True)) == []
    assert kept(receipts, of(4, "A", own=True)) == [["A"]]
    assert kept(receipts, of(5, "A", own=True)) == []
    assert kept(receipts, of(5, "B", own=True)) == [["B"]]
    assert kept(receipts, of(4, "A")) == [["A"]]


def test_requests_to_send_again_are_counted() -> None:
    """Those of others; nothing is kept of them."""
    receipts = ReceiptFilter()
    assert kept(receipts, of(3, "A")) == []
    assert kept(receipts, of(3, "A", device=2)) == []
    assert kept(receipts, of(3, "A", own=True)) == []
    assert receipts.retries == 2


def test_very_many_are_several() -> None:
    """So that no record is too large."""
    ids = [f"M{number}" for number in range(MOST_IDS + 1)]
    assert [len(part) for part in kept(ReceiptFilter(), of(1, *ids))] == [MOST_IDS, 1]
