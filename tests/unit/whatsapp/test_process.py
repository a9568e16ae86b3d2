"""The worker's end of a host, spoken to by a process that does not behave like one."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway_worker.errors import (
    InvalidCommandError,
    SessionNotConnectedError,
    UncertainError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol import envelope
from gateway_worker.host_protocol.envelope import Event, FromHost, ToHost
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.forking import Reaped
from gateway_worker.host_protocol.framing import encode
from gateway_worker.host_protocol.journal_format import Acknowledgement, Rejection
from gateway_worker.host_protocol.layout import LOCK_NAME
from gateway_worker.host_protocol.methods import Call
from gateway_worker.host_protocol.methods.messages import Chats, FindChats, Sent
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.host_protocol.methods.session import Logout
from gateway_worker.host_protocol.signals import Down, Ended, Exited
from gateway_worker.host_protocol.wire import Frame
from gateway_worker.runtime.forking.client import ForkedProcess
from gateway_worker.sessions.hosting import HostEvent
from gateway_worker.whatsapp.host.send_journal import SendJournal
from gateway_worker.whatsapp.ipc.blocking import BlockingChannel
from gateway_worker.whatsapp.notices import NOTICE_LENGTH, NOTICES
from gateway_worker.whatsapp.process import (
    MOST_MEMORY_BYTES,
    MOST_WAITING_BYTES,
    SPARE_EVENTS,
    HostProcess,
)
from gateway_worker.whatsapp.settings import WhatsAppSettings
from tests.support.arrivals import event
from tests.support.calls import send_text
from tests.support.eventually import eventually

START = envelope.Start(
    directory="/nowhere",
    device_store="store.db",
    resume_jid=None,
    pair_number=None,
    device_name="x",
    proxy_url=None,
    root_key=None,
    spool_limit_bytes=1,
    spool_segment_bytes=1,
    spool_sync=False,
    in_flight=1,
    drain_seconds=0.0,
)
QUICK = WhatsAppSettings(send_timeout_seconds=0.2)


class QuickLogout(Logout, frozen=True, kw_only=True, tag="session.logout"):
    """The same to its host, with less time."""

    timeout_seconds = 0.2


class Puppet:
    """A host whose every word is the test's."""

    def __init__(self, *, host: HostProcess, sock: socket.socket, events: list[HostEvent]) -> None:
        self.host = host
        self.events = events
        self.notices: list[str] = []
        self._socket = sock
        self._channel = BlockingChannel(sock)
        self._received: list[ToHost] = []

    def say(self, *said: FromHost) -> None:
        """Send frames to the worker."""
        for frame in said:
            self._channel.send(frame)

    def say_bytes(self, data: bytes) -> None:
        """Send anything to the worker."""
        self._socket.sendall(data)

    async def flood(self, data: bytes, *, turns: int) -> bytes:
        """Send this for as long as the worker takes it; returns what is left of the last one."""
        self._socket.settimeout(0)
        left, idle = data, 0
        while idle < turns:
            try:
                left = left[self._socket.send(left) :] or data
            except BlockingIOError:
                idle += 1
                await asyncio.sleep(0)
            else:
                idle = 0
        self._socket.settimeout(10)
        return b"" if left is data else left

    def hang_up(self) -> None:
        """Close the connection."""
        self._socket.close()

    async def hear(self, kind: type[Frame]) -> Frame:
        """Return the next frame of this kind from the worker."""
        while True:
            while self._received:
                frame = self._received.pop(0)
                if isinstance(frame, kind):
                    return frame
            self._received += await asyncio.to_thread(lambda: list(self._channel.receive()))

    async def told(self, count: int) -> list[HostEvent]:
        """Wait until the listener has had so many events."""
        await eventually(lambda: len(self.events) >= count)
        return self.events


@asynccontextmanager
async def puppet(
    directory: Path,
    *,
    settings: WhatsAppSettings = QUICK,
    fail_on: Callable[[HostEvent], bool] = lambda _: False,
    gate: asyncio.Event | None = None,
) -> AsyncIterator[Puppet]:
    """Start a process that only sleeps, behind a socket that the test holds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(60)"
    )
    status: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    theirs.settimeout(10)
    events: list[HostEvent] = []
    notices: list[str] = []

    async def listen(event: HostEvent) -> None:
        events.append(event)
        if gate is not None:
            await gate.wait()
        if fail_on(event):
            raise RuntimeError("a listener's fault")

    host = HostProcess(
        session_id="s1",
        directory=directory,
        forked=ForkedProcess(
            pid=process.pid, pidfd=os.pidfd_open(process.pid), socket=ours, status=status
        ),
        listener=listen,
        settings=settings,
        noticed=notices.append,
    )
    await host.connect()
    host.begin(START)
    one = Puppet(host=host, sock=theirs, events=events)
    one.notices = notices
    try:
        await one.hear(envelope.Start)
        yield one
    finally:
        host.kill()
        status.set_result(await process.wait())
        theirs.close()
        await host.finish(seconds=5)


def message(record: int, *, part: int = 0, last: bool = True) -> envelope.Event:
    """Return an event of a record."""
    data = {"message_id": f"3EB0{record}"}
    return event("wa.message.received.v1", data, record=record, part=part, last=last)


async def test_each_record_is_acknowledged_by_itself(tmp_path: Path) -> None:
    """One that is still needed holds up those behind it as little as those before it."""
    async with puppet(tmp_path) as host:
        host.say(*(message(record) for record in range(1, 7)))
        await host.told(6)

        for record in (1, 3, 4, 6):
            host.host.acknowledge(record)
        first = await host.hear(envelope.Ack)
        for record in (5, 2, 2):
            host.host.acknowledge(record)
        second = await host.hear(envelope.Ack)

        assert (first, second) == (envelope.Ack(record=1, beyond=(3, 4, 6)), envelope.Ack(record=6))


async def test_many_acknowledgements_are_one_frame(tmp_path: Path) -> None:
    """What was never told cannot be acknowledged."""
    async with puppet(tmp_path) as host:
        host.say(*(message(record) for record in (3, 4, 9)))
        await host.told(3)
        for record in (3, 9, 4, 77):
            host.host.acknowledge(record)

        assert await host.hear(envelope.Ack) == envelope.Ack(record=9)


async def test_the_ids_of_a_chat(tmp_path: Path) -> None:
    """The host knows them; one that does not answer is given up."""
    async with puppet(tmp_path) as host:
        asking = asyncio.create_task(host.host.request(FindChats(to="15550100002")))
        asked = await host.hear(envelope.Request)
        assert isinstance(asked, envelope.Request)
        chats = Chats(chats=("a@s.whatsapp.net", "b@lid"))
        host.say(envelope.Response(request=asked.request, result=chats))

        assert (asked.call, await asking) == (FindChats(to="15550100002"), chats)


async def test_an_answer_to_something_else_is_none(tmp_path: Path) -> None:
    """A host that is not itself any more does not make the worker believe anything."""
    async with puppet(tmp_path) as host:
        sending = asyncio.create_task(host.host.request(send_text(to="1", text="x")))
        asked = await host.hear(envelope.Request)
        assert isinstance(asked, envelope.Request)
        host.say(envelope.Response(request=asked.request, result=Done()))

        with pytest.raises(UncertainError):
            await sending


@pytest.mark.parametrize("call", [FindChats(to="15550100002"), Logout()])
async def test_a_host_that_dies_under_what_may_be_repeated(tmp_path: Path, call: Call) -> None:
    """It is repeated: only what must not be done twice is uncertain."""
    async with puppet(tmp_path) as host:
        asking = asyncio.create_task(host.host.request(call))
        await host.hear(envelope.Request)
        host.host.kill()
        host.hang_up()

        with pytest.raises(SessionNotConnectedError):
            await asking


async def test_a_listener_that_fails_does_not_end_the_host(tmp_path: Path) -> None:
    """The next events come as usual."""
    failing: Callable[[HostEvent], bool] = lambda one: (  # noqa: E731
        isinstance(one, Event) and one.record == 1
    )
    async with puppet(tmp_path, fail_on=failing) as host:
        host.say(message(1), message(2))

        events = await host.told(2)

        assert [type(event) for event in events] == [Event] * 2


async def test_a_send_without_an_answer_is_uncertain(tmp_path: Path) -> None:
    """The host is asked to give it up; an answer after that is nobody's."""
    async with puppet(tmp_path) as host:
        sending = asyncio.create_task(host.host.request(send_text(to="1", text="x")))
        request = await host.hear(envelope.Request)
        assert isinstance(request, envelope.Request)

        assert await host.hear(envelope.Cancel) == envelope.Cancel(request=request.request)
        with pytest.raises(UncertainError):
            await sending

        host.say(
            envelope.Response(
                request=request.request, failure=Failure(kind=FailureKind.REJECTED, detail="late")
            )
        )
        host.say(message(1))
        await host.told(1)


async def test_a_send_that_had_not_begun_can_be_repeated(tmp_path: Path) -> None:
    """That is another error than not knowing."""
    async with puppet(tmp_path) as host:
        sending = asyncio.create_task(host.host.request(send_text(to="1", text="x")))
        cancel = await host.hear(envelope.Cancel)
        assert isinstance(cancel, envelope.Cancel)

        host.say(
            envelope.Response(request=cancel.request, failure=Failure(kind=FailureKind.NOT_BEGUN))
        )

        with pytest.raises(SessionNotConnectedError):
            await sending


async def test_a_logout_without_an_answer(tmp_path: Path) -> None:
    """It may be tried again."""
    async with puppet(tmp_path) as host:
        with pytest.raises(UpstreamTimeoutError):
            await host.host.request(QuickLogout())


async def test_a_text_that_has_no_bytes(tmp_path: Path) -> None:
    """Nothing is sent, and the request is forgotten."""
    async with puppet(tmp_path) as host:
        with pytest.raises(InvalidCommandError):
            await host.host.request(send_text(to="1", text="\ud800"))


async def test_a_host_that_speaks_nonsense_is_ended(tmp_path: Path) -> None:
    """Requests under way are uncertain, and the last event comes after all others."""
    async with puppet(tmp_path) as host:
        sending = asyncio.create_task(host.host.request(send_text(to="1", text="x")))
        await host.hear(envelope.Request)

        host.say(message(1))
        host.say_bytes(b"\xff" * 100)

        with pytest.raises(UncertainError):
            await sending
        with pytest.raises(SessionNotConnectedError):
            await host.host.request(send_text(to="1", text="y"))
    events = await host.told(2)
    assert isinstance(events[0], Event)
    assert events[-1] == Exited(expected=False, detail="killed by SIGKILL")


async def test_a_host_that_says_that_it_leaves_and_stays_is_ended(tmp_path: Path) -> None:
    """Nobody waits for it longer than for one that was told to leave."""
    impatient = WhatsAppSettings(drain_seconds=0, stop_seconds=0.1)
    async with puppet(tmp_path, settings=impatient) as host:
        host.say(Ended(reason="store_unreachable", detail="for a test"))

        await host.host.gone()
        host.hang_up()

    events = await host.told(2)
    assert isinstance(events[0], Ended)
    assert events[-1] == Exited(expected=False, detail="killed by SIGKILL")


async def _send_and_die(directory: Path, note: Callable[[SendJournal], None]) -> object:
    """Send a text over a host that notes something and then dies without a word."""
    (directory / LOCK_NAME).touch()
    journal = SendJournal.open(directory=directory, worker_id="", epoch=0)
    async with puppet(directory) as host:
        sending = asyncio.create_task(
            host.host.request(send_text(to="1", text="x"), command_id="c")
        )
        await host.hear(envelope.Request)
        note(journal)
        host.host.kill()
        host.hang_up()
        return (await asyncio.gather(sending, return_exceptions=True))[0]


async def test_a_host_that_dies_between_its_note_and_its_answer(tmp_path: Path) -> None:
    """The note is the answer."""

    def note(journal: SendJournal) -> None:
        journal.submitted("c")
        journal.acknowledged(
            Acknowledgement(
                command_id="c", result=Sent(message_id="3EB0", chat="1@s.whatsapp.net", timestamp=1)
            )
        )

    sent = await _send_and_die(tmp_path, note)

    assert isinstance(sent, Sent)
    assert (sent.message_id, sent.chat) == ("3EB0", "1@s.whatsapp.net")


async def test_a_host_that_dies_before_or_while_it_sends(tmp_path: Path) -> None:
    """Before, nothing was sent; while, nobody knows; a refusal is one."""
    before = await _send_and_die(tmp_path, lambda _: None)
    assert isinstance(before, SessionNotConnectedError)

    during = await _send_and_die(tmp_path, lambda journal: journal.submitted("c"))
    assert isinstance(during, UncertainError)

    refused = await _send_and_die(
        tmp_path,
        lambda journal: journal.rejected(
            Rejection(command_id="c", kind=FailureKind.REJECTED, detail="479")
        ),
    )
    assert isinstance(refused, UpstreamRejectedError)


@pytest.mark.parametrize("text", ["", "x" * 100_000], ids=["many", "large"])
async def test_a_host_that_says_too_much_has_to_wait(tmp_path: Path, text: str) -> None:
    """What it says fills its own memory, not the worker's; once there is room it goes on."""
    gate = asyncio.Event()
    data = encode(Down(detail=text)) * (1 if text else 100)
    async with puppet(tmp_path, settings=QUICK, gate=gate) as host:
        left = await host.flood(data, turns=300)

        waiting = host.host._events.qsize()
        assert waiting * len(text) < 2 * MOST_WAITING_BYTES
        assert waiting < 20_000
        gate.set()
        await asyncio.to_thread(host.say_bytes, left)
        await asyncio.to_thread(host.say, message(1))
        await eventually(lambda: any(isinstance(one, Event) for one in host.events))


async def test_a_host_that_tells_more_than_it_may_has_to_wait(tmp_path: Path) -> None:
    """What is told and not acknowledged is bounded, though nobody waits where it is taken."""
    settings = WhatsAppSettings(in_flight=1)
    most = settings.in_flight + SPARE_EVENTS
    total = 40 * most
    records = b"".join(encode(message(record)) for record in range(1, total + 1))
    async with puppet(tmp_path, settings=settings) as host:
        writing = asyncio.create_task(asyncio.to_thread(host.say_bytes, records))
        await eventually(lambda: host.host._is_paused)
        await eventually(host.host._events.empty)
        assert most <= len(host.events) < total

        acknowledged = 0
        while acknowledged < total:
            await eventually(lambda: len(host.events) > acknowledged)  # noqa: B023 - awaited here
            acknowledged += 1
            host.host.acknowledge(acknowledged)
        await writing


async def test_many_events_of_one_record_are_no_flood(tmp_path: Path) -> None:
    """A receipt may name very many messages."""
    parts = 3 * (QUICK.in_flight + SPARE_EVENTS)
    data = b"".join(encode(message(1, part=part, last=part == parts - 1)) for part in range(parts))
    async with puppet(tmp_path) as host:
        with capture_logs() as logs:
            await asyncio.to_thread(host.say_bytes, data)
            await host.told(parts)
        assert logs == []
        host.host.acknowledge(1)
        assert await host.hear(envelope.Ack) == envelope.Ack(record=1)


async def test_a_host_that_dies_while_it_has_to_wait(tmp_path: Path) -> None:
    """What it had written is taken, and its end is told."""
    settings = WhatsAppSettings(in_flight=1)
    most = settings.in_flight + SPARE_EVENTS
    async with puppet(tmp_path, settings=settings) as host:
        records = b"".join(encode(message(record)) for record in range(1, most + 1))
        await asyncio.to_thread(host.say_bytes, records)
        await host.told(most)
        host.host.kill()
        host.hang_up()

        await eventually(lambda: isinstance(host.events[-1], Exited))


async def test_a_flood_of_notices_is_no_flood_in_the_log(tmp_path: Path) -> None:
    """Nor can a host make up kinds of them."""
    async with puppet(tmp_path) as host:
        with capture_logs() as logs:
            made_up = (
                envelope.Notice(event=f"made up {number}", detail="x" * 1_000)
                for number in range(1_000)
            )
            await asyncio.to_thread(host.say, *made_up)
            await eventually(lambda: len(host.notices) == 1_000)
        assert set(host.notices) == {"unknown"}
        assert len(logs) == NOTICES
        assert max(len(entry.get("detail", "")) for entry in logs) <= NOTICE_LENGTH
        assert logs[-1]["event"] == "host.notices_suppressed"


async def test_a_host_s_word_of_its_memory_is_believed_within_reason(tmp_path: Path) -> None:
    """It is a figure for people."""
    async with puppet(tmp_path) as host:
        believed: list[int | None] = []
        for told in (5, -7, 1 << 60):
            host.say(envelope.Measured(pss_bytes=told))
            await eventually(lambda: host.host.told_bytes not in (None, *believed[-1:]))
            believed.append(host.host.told_bytes)
        assert believed == [5, 0, MOST_MEMORY_BYTES]


async def test_a_frame_that_is_no_host_s_ends_it(tmp_path: Path) -> None:
    """It is not what we have started."""
    async with puppet(tmp_path) as host:
        host.say_bytes(encode(Reaped(pid=1, status=0)))
        await eventually(lambda: any(isinstance(one, Exited) for one in host.events))
