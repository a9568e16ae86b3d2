"""A worker as far as files go: sessions, recorder, database, store; WhatsApp is the sandbox."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from gateway_contracts import (
    ImageContent,
    Media,
    MediaFailed,
    MediaReady,
    MessageReceived,
    PairByQr,
    SessionState,
    parse_event,
)
from gateway_worker.host_protocol.media import MediaReference, MediaType
from gateway_worker.media.allowance import Direction, MediaAllowance
from gateway_worker.media.arriving.build import Arriving, ArrivingPorts, build_arriving
from gateway_worker.media.arriving.media_host import MediaHost, ProxyOf
from gateway_worker.media.arriving.ports import MediaObserver, Seal
from gateway_worker.media.arriving.service import PATIENCE_SECONDS
from gateway_worker.media.settings import MediaSettings
from gateway_worker.outbox.recorder import Recorder
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.server.server import WireServer
from gateway_worker.sandbox.service.fault_rules import Effect, Point, Rule, Who
from gateway_worker.sandbox.service.service import Service
from gateway_worker.sessions.build import Sessions
from gateway_worker.sessions.changes import DesiredState, OutboxRow, source_of
from gateway_worker.sessions.inbound.recording import InboundRecorder
from gateway_worker.sessions.ownership.media_owner import MediaOwner
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.storage.db.build import build_stores
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.objects import Streams
from tests.support.bindings import MemoryBindings, MemoryBroker
from tests.support.encrypted_files import encrypted
from tests.support.eventually import eventually
from tests.support.media_events import picture
from tests.support.ports import session_ports, sessions_on
from tests.support.snapshots import MemorySnapshots

NUMBER = "4917000000001"
Told = MediaReady | MediaFailed


def always(url: str) -> ProxyOf:
    """Return the one proxy of all sessions."""

    async def proxy_of(_session_id: str) -> str:
        return url

    return proxy_of


@dataclass(frozen=True, kw_only=True)
class WhatsApp:
    """The hosts of files, and somebody who has uploaded all that is there."""

    service: Service
    server: WireServer
    uploader: Phone

    def keep(
        self,
        plain: bytes,
        *,
        media_type: MediaType = MediaType.IMAGE,
        thumbnail: bytes | None = None,
    ) -> MediaReference:
        """Have a file; returns what a message says of it."""
        body, reference = encrypted(plain, media_type=media_type, thumbnail=thumbnail)
        store = self.service.media.store
        upload = store.begin()
        upload.write(body)
        uploader = self.service.accounts.device(self.uploader.jid)
        kept = store.keep(upload, media_type=media_type, uploader=uploader)
        return msgspec.structs.replace(reference, direct_path=store.direct_path(kept))

    def keep_picture(self, jpeg: bytes) -> str:
        """Have a picture of somebody; returns where it is."""
        store = self.service.media.store
        upload = store.begin()
        upload.write(jpeg)
        uploader = self.service.accounts.device(self.uploader.jid)
        kept = store.keep(upload, media_type="picture", uploader=uploader)
        return f"https://pps.whatsapp.net{store.direct_path(kept)}"

    def rule(self, effect: Effect, *, times: int | None = 1) -> None:
        """Spoil downloads."""
        who = Who(number=NUMBER)
        self.service.faults.add(
            Rule(id=effect.kind, point=Point.MEDIA_GET, who=who, effect=effect, times=times)
        )


@asynccontextmanager
async def open_whatsapp(directory: Path) -> AsyncIterator[WhatsApp]:
    """Open the hosts."""
    service = Service()
    async with (
        WireServer(service=service, directory=directory) as server,
        Phone.open(service=service, number=NUMBER) as uploader,
    ):
        yield WhatsApp(service=service, server=server, uploader=uploader)


@dataclass(kw_only=True)
class Counted(MediaObserver):
    """What was counted."""

    fetched: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def media_fetched(self, *, size_bytes: int, seconds: float) -> None:
        """Count a file."""
        self.fetched.append(size_bytes)

    def media_failed(self, code: str) -> None:
        """Count a failure."""
        self.failed.append(code)


@dataclass(kw_only=True)
class Desk:
    """A worker.

    Attributes:
        arriving: What fetches files.
        sessions: What holds its sessions.
        objects: Where the files go.
        counted: What was counted.
        events: What was announced, in order.
    """

    arriving: Arriving
    sessions: Sessions
    objects: Streams
    counted: Counted
    events: list[OutboxRow]
    _records: int = 0

    async def receive(self, session_id: str, reference: MediaReference) -> str:
        """Let a message with a file arrive; returns the file's id."""
        session = self.sessions.manager.registry.held_session(session_id)
        assert session is not None
        inbound: InboundRecorder = session._inbound
        self._records += 1
        told = len(self.events)
        committed = asyncio.Event()
        inbound.record(picture(self._records, reference), lambda _record: committed.set())
        await committed.wait()
        arrived = [parse_event(row.body) for row in self.events[told:]]
        (message,) = [event for event in arrived if isinstance(event, MessageReceived)]
        assert isinstance(message.data.content, ImageContent)
        media_id = message.data.content.media.media_id
        assert media_id is not None
        return media_id

    def told(self) -> list[Told]:
        """Return what was told of files, in order."""
        parsed = [parse_event(row.body) for row in self.events]
        return [event for event in parsed if isinstance(event, MediaReady | MediaFailed)]

    async def until_told(self, media_id: str) -> Media:
        """Return how a file's fetching ended."""

        def find() -> Media | None:
            found = (event.data.media for event in self.told())
            return next((media for media in found if media.media_id == media_id), None)

        media = await eventually(find)
        assert media is not None
        return media

    async def object(self, key: str) -> bytes | None:
        """Return what is kept under a key."""
        if await self.objects.head(key) is None:
            return None
        return b"".join([piece async for piece in self.objects.read(key)])


def media_settings(**values: object) -> MediaSettings:
    """Return settings of files."""
    return MediaSettings.model_validate(values)


async def create_session(database: Database, session_id: str, *, worker_id: str = "w") -> None:
    """Have a session that is stopped: files need no connection."""
    row = SessionRow(
        session_id=session_id,
        state=SessionState.STOPPED,
        desired=DesiredState.STOPPED,
        pairing=PairByQr(),
        device_name="Gateway",
        worker_id=worker_id,
        created_at=SystemClock().now(),
    )
    assert await build_stores(database, worker_id=worker_id).sessions.create(row) is not None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where workers are: what they share."""

    database: Database
    objects: Streams
    whatsapp: WhatsApp
    directory: Path

    @asynccontextmanager
    async def desk(
        self,
        *,
        worker_id: str = "w",
        settings: MediaSettings | None = None,
        seal: Seal | None = None,
        proxy_of: ProxyOf | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        fetches: bool = True,
        bytes_per_day: int = 0,
    ) -> AsyncIterator[Desk]:
        """Run a worker that takes up its sessions."""
        settings = settings or media_settings()
        server, objects = self.whatsapp.server, self.objects
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(
                MediaHost.open(
                    proxy_of=proxy_of or always(server.proxy_url),
                    ca_file=server.ca_file,
                    connections=settings.parallel,
                )
            )
            stores = build_stores(self.database, worker_id=worker_id)
            counted, events = Counted(), list[OutboxRow]()
            arriving = build_arriving(
                ArrivingPorts(
                    table=stores.media,
                    objects=objects,
                    files=host,
                    seal=seal,
                    observer=counted,
                    allowance=MediaAllowance(
                        counts=stores.media_bytes,
                        direction=Direction.RECEIVED,
                        per_day=bytes_per_day,
                        clock=SystemClock(),
                    ),
                ),
                settings,
                source=source_of(worker_id),
                prefix="",
                clock=SystemClock(),
                patience_seconds=patience_seconds,
            )
            recorder = Recorder(store=stores.changes, offer=events.extend)
            ports = replace(
                session_ports(recorder),
                sessions=stores.sessions,
                snapshots=MemorySnapshots(),
                bindings=MemoryBindings(MemoryBroker(worker_id), worker_id=worker_id),
                media_intake=arriving.intake,
                media_files=arriving.service,
            )
            sessions = sessions_on(ports, worker_id=worker_id, directory=self.directory)
            registry = sessions.manager.registry
            arriving.service.serve(MediaOwner(registry=registry))
            registry.watch_room(lambda _has_room: arriving.service.look_again())
            stop = asyncio.Event()
            running = [asyncio.create_task(recorder.run(stop), name="recorder")]
            await sessions.manager.resume()
            if fetches:
                running.append(asyncio.create_task(arriving.service.run(stop), name="arriving"))
            try:
                yield Desk(
                    arriving=arriving,
                    sessions=sessions,
                    objects=objects,
                    counted=counted,
                    events=events,
                )
            finally:
                stop.set()
                await asyncio.gather(*running)
                with contextlib.suppress(asyncio.CancelledError):
                    await sessions.background.cancel()
