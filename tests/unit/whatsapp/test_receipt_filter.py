"""Which receipts a host keeps: what is news to a backend, and each of it once."""

import subprocess
import sys

SCENE = """
from gateway_worker.whatsapp.host.receipts import MOST_IDS, ReceiptFilter
from tests.unit.whatsapp.library_messages import LID, events, jid, source

def of(kind, *ids, device=0, own=False):
    sender = jid("801" if own else "802", LID, device)
    return events.Receipt(
        MessageSource=source(Chat=jid("802", LID), Sender=sender, IsFromMe=own),
        MessageIDs=ids, Timestamp=1, Type=kind,
    )

def kept(receipts, event):
    found = []
    for part, key in receipts.news(event.SerializePartialToString()):
        found.append(list(events.Receipt.FromString(part).MessageIDs))
        assert key is not None
        receipts.keep(key)
    return found

# What others confirm: the second of their devices says nothing new.
for kind in (1, 4, 6, 9):
    receipts = ReceiptFilter()
    assert kept(receipts, of(kind, "A", "B")) == [["A", "B"]]
    assert kept(receipts, of(kind, "A", "B", device=3)) == []
    assert kept(receipts, of(kind, "C")) == [["C"]]

# What the owner reads elsewhere is another word than that somebody else has read.
receipts = ReceiptFilter()
assert kept(receipts, of(1, "A", own=True)) == []
assert kept(receipts, of(4, "A", own=True)) == [["A"]]
assert kept(receipts, of(5, "A", own=True)) == []
assert kept(receipts, of(5, "B", own=True)) == [["B"]]
assert kept(receipts, of(4, "A")) == [["A"]]

# Requests of others to send again are counted; nothing is kept of them.
receipts = ReceiptFilter()
assert kept(receipts, of(3, "A")) == kept(receipts, of(3, "A", device=2)) == []
assert kept(receipts, of(3, "A", own=True)) == []
assert receipts.retries == 2

# One that names very many becomes several.
ids = [f"M{number}" for number in range(MOST_IDS + 1)]
assert [len(part) for part in kept(ReceiptFilter(), of(1, *ids))] == [MOST_IDS, 1]
print("all of it")
"""


def test_what_is_kept_of_receipts() -> None:
    """In a process of its own, for the filter loads the library."""
    done = subprocess.run(
        [sys.executable, "-c", SCENE], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout) == (0, "all of it\n"), done.stderr
