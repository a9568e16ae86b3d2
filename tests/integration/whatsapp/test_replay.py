"""What a dead host has left in its spool, told without WhatsApp and without the library."""

import shutil
from pathlib import Path

import pytest

from gateway_contracts import UndecryptableReason
from gateway_contracts.commands import PairByQr
from gateway_worker.errors import SessionNotConnectedError
from gateway_worker.host_protocol.envelope import Event, HistoryPage
from gateway_worker.host_protocol.framing import MAX_BODY_BYTES
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import Exited
from gateway_worker.sessions.hosting import HostEvent, HostSpec
from gateway_worker.sessions.store.store_files import pending_records
from gateway_worker.whatsapp.host.spool import Spool
from gateway_worker.whatsapp.launcher import HostProcesses
from gateway_worker.whatsapp.process import HostProcess
from gateway_worker.whatsapp.settings import WhatsAppSettings
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import (
    InboundMessage,
    InboundReceipt,
    Seen,
    UndecryptableMessage,
    seen,
)
from tests.support.calls import send_text
from tests.support.eventually import eventually
from tests.unit.whatsapp.library_messages import events, jid, source

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

Spooled = InboundMessage | InboundReceipt
RECEIPTS = 41_000


class Replay:
    """One replay: what it tells, acknowledged one by one or not at all."""

    def __init__(self, *, processes: HostProcesses, directory: Path, acknowledging: bool) -> None:
        self.processes = processes
        self.directory = directory
        self.acknowledging = acknowledging
        self.events: list[Seen] = []
        self.host: HostProcess | None = None
        self.settings = HostSettings()

    async def start(self) -> HostProcess:
        """Start the host."""
        spec = HostSpec(
            session_id="s",
            directory=self.directory,
            resume_jid=None,
            pairing=PairByQr(),
            device_name="x",
            settings=self.settings,
        )
        self.host = await self.processes.replay(spec, self._listen)
        return self.host

    async def end(self) -> Exited:
        """Wait for the last event."""
        await eventually(lambda: bool(self.events) and isinstance(self.events[-1], Exited))
        last = self.events[-1]
        assert isinstance(last, Exited)
        return last

    def told(self) -> list[Spooled]:
        """Return what it told."""
        return [event for event in self.events if isinstance(event, Spooled)]

    async def _listen(self, event: HostEvent) -> None:
        self.events.append(seen(event))
        if not self.acknowledging or self.host is None:
            return
        if isinstance(event, Event) and event.last:
            self.host.acknowledge(event.record)
        if isinstance(event, HistoryPage):
            self.host.take_history(event.page)


async def left_behind(stage: Stage) -> tuple[Account, list[Spooled]]:
    """Kill a host with messages in both directions that nobody acknowledged.

    Returns what it told; its spool may have something more by then.
    """
    account = await stage.linked()
    ben = await stage.customer()
    account.acknowledging = False
    for number in range(5):
        await ben.send_text(account.phone.number, f"{number}")
    sent = await account.host.request(send_text(to=ben.number, text="back"))
    await account.phone.send_text(ben.number, "from the phone")
    await account.next(InboundMessage, lambda message: message.from_me)
    await eventually(
        lambda: any(
            isinstance(event, InboundReceipt) and event.message_id == sent.message_id
            for event in account.events
        )
    )
    account.host.kill()
    await account.next(Exited)
    return account, [event for event in account.events if isinstance(event, Spooled)]


async def test_it_is_told_as_it_would_have_been(stage: Stage) -> None:
    """Equal in every field, first to a host that dies, then to one that is acknowledged."""
    account, told = await left_behind(stage)
    assert len(told) >= 7
    # No sandbox, no certificates: there is nothing to connect to.
    async with HostProcesses(WhatsAppSettings()) as processes:
        assert pending_records(account.directory) > 0
        first = Replay(processes=processes, directory=account.directory, acknowledging=False)
        host = await first.start()
        await eventually(lambda: len(first.told()) >= len(told))
        assert first.told()[: len(told)] == told
        with pytest.raises(SessionNotConnectedError):
            await host.request(send_text(to="4915500001", text="no"), command_id="c")
        host.kill()
        assert not (await first.end()).expected
        assert pending_records(account.directory) > 0

        second = Replay(processes=processes, directory=account.directory, acknowledging=True)
        await second.start()

        left = await second.end()
        assert (left.expected, left.detail) == (True, "it left")
        assert second.told()[: len(told)] == told
        assert pending_records(account.directory) == 0


async def test_a_spool_beside_its_store(stage: Stage, tmp_path: Path) -> None:
    """In a directory below that of the store, people are found all the same."""
    account, told = await left_behind(stage)
    below = account.directory / "carried"
    below.mkdir()
    for path in account.directory.glob("spool*"):
        shutil.move(path, below / path.name)
    assert pending_records(account.directory) == 0
    assert pending_records(below) > 0

    one = Replay(processes=stage.processes, directory=below, acknowledging=True)
    await one.start()

    assert (await one.end()).expected
    assert one.told()[: len(told)] == told
    assert pending_records(tmp_path) == 0


async def test_a_replay_that_is_stopped(stage: Stage) -> None:
    """It leaves at once, and keeps what was not acknowledged; an empty one leaves by itself."""
    account, told = await left_behind(stage)
    one = Replay(processes=stage.processes, directory=account.directory, acknowledging=False)
    host = await one.start()
    await eventually(lambda: len(one.told()) >= len(told))

    await host.stop()

    assert (await one.end()).expected
    assert pending_records(account.directory) > 0
    empty = Replay(
        processes=stage.processes, directory=account.directory / "new", acknowledging=True
    )
    await empty.start()
    assert (await empty.end()).expected
    assert pending_records(account.directory / "new") == 0


async def test_records_that_no_host_of_today_would_write(stage: Stage, tmp_path: Path) -> None:
    """What is too large for a frame is told in parts, what is not known as unreadable; in order."""
    ben = jid("4915500009")
    names = [f"{number:05d}{'X' * 100}" for number in range(RECEIPTS)]
    origin = source(Chat=ben, Sender=ben, BroadcastListOwner=jid("", ""))
    receipt = events.Receipt(MessageSource=origin, MessageIDs=names, Timestamp=1, Type=4)
    small = events.Receipt(MessageSource=origin, MessageIDs=["last"], Timestamp=1, Type=4)
    assert receipt.ByteSize() > MAX_BODY_BYTES
    spool = Spool.open(directory=tmp_path, limit_bytes=2**30, segment_bytes=2**20, sync=False)
    spool.append(18, 0, receipt.SerializeToString())
    spool.append(99, 0, b"of a later release")
    spool.append(18, 0, small.SerializeToString())
    spool.close()
    noticed = stage.processes.notices["record_partial"]

    one = Replay(processes=stage.processes, directory=tmp_path, acknowledging=True)
    await one.start()

    assert (await one.end()).expected
    receipts = [event for event in one.events if isinstance(event, InboundReceipt)]
    assert [event.message_id for event in receipts] == [*names, "last"]
    assert [event.last for event in receipts] == [False] * (RECEIPTS - 1) + [True, True]
    unknown = one.events[RECEIPTS]
    assert isinstance(unknown, UndecryptableMessage)
    assert unknown.reason is UndecryptableReason.UNREADABLE
    assert stage.processes.notices["record_partial"] == noticed + 1
    assert [path.name[-3:] for path in (tmp_path / "quarantine").iterdir()] == ["-99"]
    assert pending_records(tmp_path) == 0
