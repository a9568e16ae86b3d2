"""What a worker that is back tells of the sends whose end only its disk knows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from gateway_contracts import StatusReason
from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.sessions.found_sends import (
    FoundSend,
    FoundSends,
    UncertainSends,
    decode_found,
)
from gateway_worker.sessions.inbound.left_sends import LeftSends
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind
from gateway_worker.sessions.send_journal import (
    Acknowledged,
    NotSubmitted,
    SendJournals,
    SendTrace,
    Submitted,
    Unknown,
)
from tests.support.ports import UnaskedPeerMessages
from tests.unit.sessions.harness import SessionHarness, linked_row
from tests.unit.sessions.inbound.test_recording import turns

SENT = Sent(message_id="M1", chat="1@s.whatsapp.net", chat_lid="2@lid", timestamp=1_700_000_000)
TRACES: dict[str, SendTrace] = {
    "answered": Acknowledged(result=SENT),
    "submitted": Submitted(chat="1@s.whatsapp.net", message_id="M2"),
    "nameless": Submitted(),
    "kept": NotSubmitted(),
    "unknown": Unknown(detail="gone"),
}


class Disk(SendJournals, UncertainSends, UnaskedPeerMessages):
    """A disk with a journal, and what is told of it."""

    def __init__(self, *commands: str) -> None:
        self.commands = commands
        self.told: list[PeerMessage] = []

    async def without_message(self, session_id: str) -> Sequence[str]:
        """Return the commands whose message nobody knows."""
        assert session_id == "shop"
        return self.commands

    async def look_up(
        self,
        directory: Path,
        command_id: str,
        *,
        worker_id: str,
        epoch: int,
        began: datetime | None = None,
    ) -> SendTrace:
        """Return what became of one."""
        assert (worker_id, epoch, began) == ("me", 3, None)
        return TRACES[command_id]

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Take what is told."""
        assert worker_id == linked_row("shop", epoch=7).worker_id
        self.told.append(PeerMessage.decode(kind, body))


async def test_the_owner_is_told_of_each_send_whose_message_is_known(tmp_path: Path) -> None:
    """With WhatsApp's answer if the disk has it; of others there is nothing to tell."""
    disk = Disk(*TRACES)
    left = LeftSends(worker_id="me", journals=disk, uncertain=disk, peer_messages=disk)
    await left.tell(linked_row("shop", epoch=7), tmp_path, epoch=3)

    (told,) = disk.told
    assert (told.kind, told.session_id, told.epoch) == (PeerMessageKind.FOUND, "shop", 7)
    answered, submitted = map(decode_found, told.events)
    assert answered == FoundSend(command_id="answered", chat=SENT.chat, message_id="M1", sent=SENT)
    assert submitted == FoundSend(command_id="submitted", chat=SENT.chat, message_id="M2")
    assert [one.trace for one in (answered, submitted)] == [
        TRACES["answered"],
        TRACES["submitted"],
    ]


async def test_nothing_is_told_of_nothing(tmp_path: Path) -> None:
    """Most directories hold no send that anybody wonders about."""
    disk = Disk("kept", "unknown")
    left = LeftSends(worker_id="me", journals=disk, uncertain=disk, peer_messages=disk)
    await left.tell(linked_row("shop", epoch=7), tmp_path, epoch=3)

    assert disk.told == []


def test_an_owner_remembers_a_bounded_number() -> None:
    """Of commands that have not come to their end; the latest."""
    found = FoundSends()
    found.add(
        FoundSend(command_id=f"c{number}", chat="1@s.whatsapp.net", message_id=f"M{number}")
        for number in range(200)
    )

    assert found.trace_of("c0") is None
    assert found.trace_of("c199") == Submitted(chat="1@s.whatsapp.net", message_id="M199")


async def test_an_owner_that_is_told_looks_at_the_receipts_that_wait(tmp_path: Path) -> None:
    """One of them may be of that message, which nobody knew until now."""
    harness = SessionHarness(tmp_path)
    session = harness.sessions.factory.build(linked_row("shop", epoch=7))
    seen: list[int] = []
    session.sends.when_over(lambda: seen.append(len(harness.database.applied)))

    assert await session.earlier_sends.record_found(
        [FoundSend(command_id="c", chat=SENT.chat, message_id="M1", sent=SENT)]
    )
    await turns()

    assert seen == [1]


async def test_an_owner_that_has_a_session_back_looks_before_its_store_is_replaced(
    tmp_path: Path,
) -> None:
    """Others had it meanwhile, and a send of before may have ended there as uncertain."""
    harness = SessionHarness(tmp_path)  # its store is of epoch 3
    home = harness.data.session("shop")
    stores: list[bytes] = []

    class Watched(Disk):
        async def without_message(self, session_id: str) -> Sequence[str]:
            stores.append((home / DEVICE_STORE_NAME).read_bytes())
            return await super().without_message(session_id)

    disk = Watched("answered", "submitted", "unknown")
    harness.ports = replace(harness.ports, uncertain=disk, journals=disk)
    harness.copies.keep("shop", epoch=6, content=b"newer keys")
    session = harness.worker().factory.build(linked_row("shop", epoch=7))
    session.start(StatusReason.TAKEN_OVER)
    await session.until_connected()

    told = [change.found.command_id for change in harness.database.applied if change.found]
    assert told == ["answered", "submitted"]
    assert stores == [b"keys"]
    assert (home / DEVICE_STORE_NAME).read_bytes() == b"newer keys"
    await session.close()
    await harness.sessions.background.join()
