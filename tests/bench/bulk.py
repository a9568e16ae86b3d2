"""What it is to send in bulk: over kills and outages, beside conversations, and out of a file."""

import asyncio
import base64
import secrets
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway_contracts import (
    BulkCancel,
    BulkCreate,
    BulkCreateData,
    BulkFile,
    BulkFinished,
    BulkFormat,
    BulkId,
    BulkRow,
    CommandFailed,
    CommandSucceeded,
    MediaUpload,
    MediaUploadUrl,
    MediaUploadUrlData,
    MessageReceived,
    MessageSend,
    MessageSendData,
    SessionCreate,
    SessionQr,
    SessionState,
    SessionStatus,
    TextContent,
    TextToSend,
    UploadSource,
)
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.harness import BackendOptions, Gateway, open_gateway
from gateway_worker.devkit.received import ReceivedEvent
from gateway_worker.devkit.sandbox_process import SandboxProcess
from gateway_worker.devkit.services import LaunchOptions, RunningServices, local_services
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.control.models import Poll
from tests.bench.harness import LINK_AT_ONCE, MIB
from tests.bench.media_tools import percentiles

WORKERS: Final = ("bulk-0", "bulk-1")
LEASE_SECONDS: Final = 6.0
FILE_ROWS: Final = 100_000
_IN_COMMAND: Final = 1_000
_PROBES: Final = 160
_PROBE_SECONDS: Final = 0.25
_INBOUND_PER_SECOND: Final = 50.0
_INBOUND_SECONDS: Final = 15.0
_HEAL_SECONDS: Final = 90.0
_PATIENCE_SECONDS: Final = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A session with the phone of its account, that of a customer, and that of a friend."""

    session_id: str
    account: str
    customer: str
    friend: str


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the backend has been told.

    Attributes:
        outcomes: How often each row's outcome was told, by its id.
        states: How each has ended.
        over: Bulks that are over.
        arrived: When each text of a customer was told, by the monotonic clock.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    states: dict[str, str] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    arrived: dict[str, float] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)

    def note(self, arrival: ReceivedEvent) -> None:
        """Take what an event tells; one that is published again is the same."""
        event = arrival.event
        if event.id in self.events:
            return
        match event:
            case CommandSucceeded(data=data) if data.row is not None:
                self._end(event, "succeeded")
            case CommandFailed(data=data) if data.row is not None:
                self._end(event, "uncertain" if data.error.code == "uncertain" else "failed")
            case BulkFinished(data=data):
                self.over.add(data.bulk_id)
            case MessageReceived(data=data) if isinstance(data.content, TextContent):
                self.arrived.setdefault(data.content.text, time.monotonic())

    def _end(self, event: CommandSucceeded | CommandFailed, state: str) -> None:
        assert event.correlationid is not None
        self.events.add(event.id)
        self.outcomes[event.correlationid] += 1
        self.states[event.correlationid] = state


@dataclass(slots=True, kw_only=True)
class Company:
    """Everything up, with linked sessions."""

    services: RunningServices
    sandbox: SandboxProcess
    gateway: Gateway
    senders: Sequence[Sender]
    seen: Seen

    @property
    def backend(self) -> Backend:
        """The backend."""
        return self.gateway.backend

    def worker(self, place: int) -> WorkerProcess:
        """One of the workers."""
        return self.gateway.workers[WORKERS[place % len(WORKERS)]]

    async def begin(self, sender: Sender, rows: int, *, name: str) -> list[str]:
        """Begin bulks of one session to its customer; returns their ids."""
        ids = []
        for first in range(0, rows, _IN_COMMAND):
            numbers = range(first, min(first + _IN_COMMAND, rows))
            command = BulkCreate(
                source=self.backend.source,
                subject=sender.session_id,
                data=BulkCreateData(
                    content=TextToSend(text=f"{name} {{{{n}}}}"),
                    rows=tuple(
                        BulkRow(to=sender.customer, variables={"n": f"{number}"})
                        for number in numbers
                    ),
                ),
            )
            outcome = await self.backend.request(command, seconds=120)
            if not isinstance(outcome, CommandSucceeded):
                raise TypeError(f"a bulk was refused: {outcome.data.error.code}")
            ids.append(command.id)
        return ids

    async def until_over(self, ids: Sequence[str]) -> None:
        """Return when bulks are over."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not self.seen.over >= set(ids):
                await self.backend.changed()

    async def texts(self, number: str) -> list[str]:
        """Return what a phone shows."""
        found: list[str] = []
        poll = Poll(since=0)
        while (page := await self.sandbox.client.inbox(number, poll)).items:
            found += [item.text for item in page.items]
            poll = Poll(since=page.next)
        return found


async def measure_bulk(
    *, rows: int, kills: int, sessions: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure all of it, with services, workers and phones of its own."""

    def told(figures: dict[str, Any]) -> dict[str, Any]:
        say(f"  {figures}")  # at once: what follows takes long, and breaks things
        return figures

    async with _company(sessions) as company:
        await _probe(company, len(company.senders), pause_seconds=0.0)  # there are keys to fetch
        say("interactive sends without a bulk")
        alone = await _probe(company, _PROBES // 2)
        say("sends, and 50 inbound messages a second, beside bulks")
        during = await _beside(company)
        say("interactive sends without a bulk once more")
        alone += await _probe(company, _PROBES // 2)
        beside = told(_compared(alone, during))
        say(f"a file of {FILE_ROWS} rows")
        file = told(await _file(company))
        say(f"{rows} rows over {sessions} sessions, with {kills} kills")
        return {**await _kills(company, rows=rows, kills=kills), **beside, "file": file}


@asynccontextmanager
async def _company(sessions: int) -> AsyncIterator[Company]:
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bulk-")))
        await asyncio.to_thread(directory.chmod, 0o711)
        services = await stack.enter_async_context(
            local_services(LaunchOptions(data_directory=directory / "services", environment={}))
        )
        sandbox = await stack.enter_async_context(SandboxProcess.start(directory / "sandbox"))
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        gateway = await stack.enter_async_context(
            open_gateway(
                services.addresses.environment(),
                sandbox,
                WORKERS,
                {
                    "CAPACITY": str(sessions + 1),
                    "SNAPSHOT_KEYS": f"bulk:{key}",
                    "LEASE_SECONDS": f"{LEASE_SECONDS:g}",
                    "PACING_PROFILE": "off",
                },
                directory=directory,
                backend=BackendOptions(name="bulk", durable=True),
            )
        )
        await gateway.start()
        company = Company(
            services=services, sandbox=sandbox, gateway=gateway, senders=(), seen=Seen()
        )
        gateway.backend.on_arrival(company.seen.note)
        company.senders = await _link(company, sessions)
        yield company


async def _link(company: Company, sessions: int) -> list[Sender]:
    senders = [
        Sender(
            session_id=f"bulk-{place}",
            account=f"1202555{place:04}",
            customer=f"1202556{place:04}",
            friend=f"1202557{place:04}",
        )
        for place in range(sessions)
    ]
    gate, backend = asyncio.Semaphore(LINK_AT_ONCE), company.backend

    async def link(one: Sender) -> None:
        async with gate:
            for number in (one.account, one.customer, one.friend):
                await company.sandbox.client.add_phone(number)
            await backend.publish(SessionCreate(source=backend.source, subject=one.session_id))
            qr = await backend.expect(SessionQr, one.session_id, seconds=60)
            await company.sandbox.client.scan(one.account, qr.data.code)
            await backend.expect(
                SessionStatus,
                one.session_id,
                lambda event: event.data.state is SessionState.CONNECTED,
                seconds=60,
            )

    await asyncio.gather(*map(link, senders))
    return senders


async def _probe(
    company: Company, count: int, *, pause_seconds: float = _PROBE_SECONDS
) -> list[float]:
    """Return how many seconds sends took that somebody waits for, now and then one."""
    took = []
    for number in range(count):
        sender = company.senders[number % len(company.senders)]
        command = MessageSend(
            source=company.backend.source,
            subject=sender.session_id,
            data=MessageSendData(to=sender.friend, content=TextToSend(text=f"probe {number}")),
        )
        started = time.monotonic()
        outcome = await company.backend.request(command, seconds=120)
        if not isinstance(outcome, CommandSucceeded):
            raise TypeError(f"a send has failed: {outcome.data.error.code}")
        took.append(time.monotonic() - started)
        await asyncio.sleep(pause_seconds)
    return took


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What went on beside bulks.

    Attributes:
        sends: How many seconds each send took.
        inbound: How many seconds after a phone had written it each message was told.
        rows_per_second: How fast the bulks were beside the sends.
    """

    sends: Sequence[float]
    inbound: Sequence[float]
    rows_per_second: float


async def _beside(company: Company) -> Beside:
    begun = {
        sender.session_id: (await company.begin(sender, _IN_COMMAND, name="beside"))[0]
        for sender in company.senders
    }
    await _probe(company, len(company.senders))  # rows have keys to fetch, too
    started, before = time.monotonic(), len(company.seen.states)
    sends = await _probe(company, _PROBES)
    rows_per_second = (len(company.seen.states) - before) / (time.monotonic() - started)
    sender = company.senders[0]
    count = int(_INBOUND_PER_SECOND * _INBOUND_SECONDS)
    written: dict[str, float] = {}
    started = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number / _INBOUND_PER_SECOND - time.monotonic()))
        text = f"in {number}"
        written[text] = time.monotonic()
        await company.sandbox.client.send_text(sender.friend, sender.account, text)
    async with asyncio.timeout(60):
        while not company.seen.arrived.keys() >= written.keys():
            await company.backend.changed()
    lags = [company.seen.arrived[text] - at for text, at in written.items()]
    for session_id, bulk_id in begun.items():
        command = BulkCancel(
            source=company.backend.source, subject=session_id, data=BulkId(bulk_id=bulk_id)
        )
        await company.backend.request(command, seconds=120)
    await company.until_over(list(begun.values()))
    return Beside(sends=sends, inbound=lags, rows_per_second=rows_per_second)


def _compared(alone: Sequence[float], beside: Beside) -> dict[str, Any]:
    before, during = percentiles(alone), percentiles(beside.sends)
    return {
        "interactive": {
            "alone": before,
            "during": during,
            "p95_ratio": round(during["p95"] / before["p95"], 2),
            "rows_per_s": round(beside.rows_per_second, 1),
        },
        "inbound": {
            **percentiles(beside.inbound),
            "longest": round(max(beside.inbound) * 1000, 1),
            "messages": len(beside.inbound),
        },
    }


async def _file(company: Company) -> dict[str, Any]:
    """Have a long file accepted, and called off; its session's bulk does not begin before."""
    sender, backend = company.senders[0], company.backend
    lines = [f"{sender.customer},c-{row},Ada,{row}\n" for row in range(FILE_ROWS)]
    data = ("to,client_ref,name,order\n" + "".join(lines)).encode()
    asked = MediaUploadUrlData(mime_type="text/csv", size=len(data))
    place = await backend.request(
        MediaUploadUrl(source=backend.source, subject=sender.session_id, data=asked)
    )
    assert isinstance(place, CommandSucceeded)
    upload = place.data.result
    assert isinstance(upload, MediaUpload)

    def put() -> None:
        request = urllib.request.Request(
            upload.url, data=data, headers=upload.headers, method=upload.method
        )
        with urllib.request.urlopen(request, timeout=60):
            pass

    await asyncio.to_thread(put)
    sizes: list[float] = []

    def memory() -> float:
        return sum(
            worker.process.memory_info().rss / MIB for worker in company.gateway.workers.values()
        )

    async def watch() -> None:
        while True:
            sizes.append(memory())
            await asyncio.sleep(0.05)

    before = memory()
    watching = asyncio.create_task(watch())
    command = BulkCreate(
        source=backend.source,
        subject=sender.session_id,
        data=BulkCreateData(
            content=TextToSend(text="Hello {{name}}, your order {{order}} is ready."),
            file=BulkFile(media=UploadSource(media_id=upload.media_id), format=BulkFormat.CSV),
        ),
    )
    started = time.monotonic()
    outcome = await backend.request(command, seconds=120)
    seconds = time.monotonic() - started
    watching.cancel()
    assert isinstance(outcome, CommandSucceeded), outcome
    await backend.request(
        BulkCancel(
            source=backend.source, subject=sender.session_id, data=BulkId(bulk_id=command.id)
        ),
        seconds=120,
    )
    await company.until_over([command.id])
    return {
        "rows": FILE_ROWS,
        "accepted_seconds": round(seconds, 2),
        "extra_mib": round(max(sizes) - before, 1),
    }


async def _kills(company: Company, *, rows: int, kills: int) -> dict[str, Any]:
    share = -(-rows // len(company.senders))
    company.seen.outcomes.clear()
    company.seen.states.clear()
    started = time.monotonic()
    each = await asyncio.gather(
        *(company.begin(sender, share, name="bulk") for sender in company.senders)
    )
    ids = [bulk for some in each for bulk in some]
    total = share * len(company.senders)
    steps: list[Callable[[], Any]] = [
        *(lambda place=place: _kill(company, place) for place in range(kills)),
        lambda: _restart_broker(company),
        lambda: _flush(company),
    ]
    for place, step in enumerate(steps):
        wanted = total * (place + 1) // (len(steps) + 2)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(company.seen.states) < wanted:
                await company.backend.changed()
        await step()
    await company.until_over(ids)
    seconds = time.monotonic() - started
    states = Counter(company.seen.states.values())
    expected = {
        (sender.customer, f"bulk {number}") for sender in company.senders for number in range(share)
    }
    unsure = states["failed"] + states["uncertain"]
    shown = await _shown(company, until=lambda seen: len(expected - seen.keys()) <= unsure)
    told_sent = states["succeeded"]
    return {
        "rows": total,
        "succeeded": told_sent,
        "failed": states["failed"],
        "uncertain": states["uncertain"],
        "outcomes_twice": sum(count > 1 for count in company.seen.outcomes.values()),
        "without_outcome": total - len(company.seen.states),
        "doubled": sum(count > 1 for count in shown.values()),
        # What nobody was told to be sent may be missing.
        "lost": max(0, len(expected - shown.keys()) - unsure),
        "seconds": round(seconds, 1),
        "rows_per_s": round(total / seconds, 1),
    }


async def _shown(
    company: Company, *, until: Callable[[Counter[tuple[str, str]]], bool]
) -> Counter[tuple[str, str]]:
    """Return what customers are shown, how often each.

    A phone that cannot read a message asks for it again, when somebody looks at it.
    """
    end = time.monotonic() + _HEAL_SECONDS
    while True:
        shown: Counter[tuple[str, str]] = Counter()
        for sender in company.senders:
            for text in await company.texts(sender.customer):
                if text.startswith("bulk "):
                    shown[sender.customer, text] += 1
        if until(shown) or time.monotonic() > end:
            return shown
        await asyncio.sleep(2.0)


async def _kill(company: Company, place: int) -> None:
    """Kill a worker; every other time it is away for so long that its sessions are taken over."""
    worker = company.worker(place)
    await worker.kill()
    await asyncio.sleep(LEASE_SECONDS * 2 if place % 2 else 0.5)
    await worker.start()


async def _restart_broker(company: Company) -> None:
    await company.services.rabbitmq.stop()
    await company.services.rabbitmq.start()


async def _flush(company: Company) -> None:
    await company.services.redis.kill()
    await company.services.redis.start()
