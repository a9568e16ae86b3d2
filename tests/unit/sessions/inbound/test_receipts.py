"""Receipts wait for the send that they are about, alone, in order and not for ever."""

import asyncio

import pytest

from gateway_contracts import ReceiptStatus
from gateway_worker.sessions.changes import Change, Committed, ReceiptRow
from gateway_worker.sessions.inbound import receipts as module
from gateway_worker.sessions.inbound.receipts import ReceiptQueue, SendsInProgress
from tests.support.eventually import eventually
from tests.support.recorder import MemoryRecorder
from tests.unit.sessions.inbound.test_recording import CHAT, NOW, turns

DELIVERED_READ = (ReceiptStatus.DELIVERED, ReceiptStatus.READ)


class Journal(MemoryRecorder):
    """A recorder that finds some receipts early, as the database would."""

    @property
    def asked(self) -> list[tuple[str, ReceiptStatus, bool]]:
        """What was to be written: message, status, and whether it waits for its send."""
        rows = [change.receipt for change in self.changes]
        return [(row.message_id, row.status, row.waits) for row in rows if row is not None]

    @property
    def written(self) -> list[tuple[str, ReceiptStatus]]:
        """What was."""
        rows = [change.receipt for change in self.applied]
        return [(row.message_id, row.status) for row in rows if row is not None]


def receipt(
    message_id: str, status: ReceiptStatus = ReceiptStatus.DELIVERED, *, chat: str = CHAT
) -> Change:
    """Return a receipt."""
    row = ReceiptRow(
        chat=chat, message_id=message_id, participant=chat, status=status, timestamp=NOW
    )
    return Change(session_id="s", epoch=1, receipt=row)


async def test_with_nothing_under_way_a_receipt_goes_at_once() -> None:
    """And the database says whether a send of before a restart is still executing."""
    journal = Journal()
    receipts = ReceiptQueue(record=journal.record, sends=SendsInProgress(remembered=9))

    await receipts.submit(receipt("A"))

    assert journal.asked == [("A", "delivered", True)]
    assert receipts.held == 0


async def test_a_receipt_that_is_faster_than_the_end_of_its_send() -> None:
    """It is recorded behind that end, whatever that takes; later ones of its message behind it."""
    journal, sends = Journal(), SendsInProgress(remembered=9)
    journal.executing.add("s")
    receipts = ReceiptQueue(record=journal.record, sends=sends)
    with sends.one():
        futures = [receipts.submit(receipt("A", status)) for status in DELIVERED_READ]
        await turns()
        assert journal.asked == []
        sends.sent(CHAT, "A")
        journal.store("s", CHAT, "A")
    await asyncio.gather(*futures)

    assert journal.written == [("A", "delivered"), ("A", "read")]


async def test_the_first_receipt_of_each_message_tells_how_long_it_took() -> None:
    """Also one that was faster than its send's end; those of old messages tell nothing."""
    lags = list[float]()
    journal, sends = Journal(), SendsInProgress(remembered=2, on_confirmed=lags.append)
    receipts = ReceiptQueue(record=journal.record, sends=sends)
    sends.sent(CHAT, "A")
    for status in DELIVERED_READ:
        await receipts.submit(receipt("A", status))
    assert len(lags) == 1
    with sends.one():
        early = receipts.submit(receipt("B"))
        await turns()
        assert len(lags) == 1
        sends.sent(CHAT, "B")
        journal.store("s", CHAT, "B")
    await early
    await receipts.submit(receipt("of long ago"))

    assert len(lags) == 2
    assert min(lags) >= 0


async def test_a_receipt_of_a_recent_send_does_not_wait_for_the_next_one() -> None:
    """Its message is with the recorder; one of the same id in another chat is not."""
    journal, sends = Journal(), SendsInProgress(remembered=1)
    receipts = ReceiptQueue(record=journal.record, sends=sends)
    sends.sent(CHAT, "A")
    with sends.one():
        await receipts.submit(receipt("A"))
        waiting = receipts.submit(receipt("A", chat="other@lid"))
        await turns()
        assert not waiting.done()
        sends.sent(CHAT, "B")
        forgotten = receipts.submit(receipt("A"))
        await turns()
        assert not forgotten.done()
    await asyncio.gather(waiting, forgotten)


async def test_an_old_message_is_looked_up_while_a_send_takes_its_time() -> None:
    """A lost acknowledgement takes a minute: only what is nowhere waits for its end."""
    journal, sends = Journal(), SendsInProgress(remembered=9)
    journal.store("s", CHAT, "old")
    journal.executing.add("s")
    receipts = ReceiptQueue(record=journal.record, sends=sends)
    with sends.one():
        unknown, old = receipts.submit(receipt("new")), receipts.submit(receipt("old"))
        await old
        await eventually(lambda: ("new", "delivered", True) in journal.asked)
        assert not unknown.done()
        journal.store("s", CHAT, "new")
    await unknown

    assert journal.written == [("old", "delivered"), ("new", "delivered")]


async def test_a_receipt_of_a_send_that_an_earlier_process_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The database says that it is executing: it is asked again until it has ended."""
    monkeypatch.setattr(module, "NEXT_LOOK_SECONDS", 0.01)
    journal = Journal()
    journal.executing.add("s")
    receipts = ReceiptQueue(record=journal.record, sends=SendsInProgress(remembered=9))
    waiting = receipts.submit(receipt("A"))
    await eventually(lambda: len(journal.asked) > 2)
    journal.store("s", CHAT, "A")
    await waiting

    assert journal.written == [("A", "delivered")]


async def test_the_end_of_what_an_earlier_process_began_is_looked_at_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its receipts do not wait until they would be looked at again anyway."""
    monkeypatch.setattr(module, "NEXT_LOOK_SECONDS", 3600.0)
    journal, sends = Journal(), SendsInProgress(remembered=9)
    journal.executing.add("s")
    receipts = ReceiptQueue(record=journal.record, sends=sends)
    waiting = [receipts.submit(receipt(message_id)) for message_id in ("A", "B")]
    await turns()
    assert receipts.held == len(waiting)
    journal.store("s", CHAT, "A")
    sends.settled()
    await waiting[0]
    journal.executing.clear()
    sends.settled()
    await waiting[1]

    assert journal.written == [("A", "delivered"), ("B", "delivered")]


async def test_a_receipt_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is told without its command."""
    monkeypatch.setattr(module, "NEXT_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    journal = Journal()
    journal.executing.add("s")
    receipts = ReceiptQueue(record=journal.record, sends=SendsInProgress(remembered=9))

    await receipts.submit(receipt("A"))

    assert journal.asked[-1] == ("A", "delivered", False)
    assert receipts.held == 0


async def test_not_everything_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt that names ten thousand messages does not fill the memory."""
    monkeypatch.setattr(module, "MOST_HELD", 3)
    journal, sends = Journal(), SendsInProgress(remembered=9)
    receipts = ReceiptQueue(record=journal.record, sends=sends)
    with sends.one():
        futures = [receipts.submit(receipt(f"M{number}")) for number in range(5)]
        await turns()
        assert (receipts.held, [future.done() for future in futures]) == (
            3,
            [False, False, False, True, True],
        )
    await asyncio.gather(*futures)


async def test_what_the_recorder_gives_up_is_given_up() -> None:
    """The worker stops: the next receipt of the message is asked for in its turn."""
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[Committed]] = []

    def record(_change: Change) -> "asyncio.Future[Committed]":
        futures.append(loop.create_future())
        return futures[-1]

    receipts = ReceiptQueue(record=record, sends=SendsInProgress(remembered=9))
    first, second = (receipts.submit(receipt("A", one)) for one in DELIVERED_READ)
    futures[0].cancel()
    await turns()
    futures[1].set_exception(ValueError("refused"))
    await turns()

    assert first.cancelled()
    assert isinstance(second.exception(), ValueError)
    assert receipts.held == 0
