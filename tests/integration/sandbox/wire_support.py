"""Holds a real neonize client in a process of its own, and the sandbox that it talks to."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.server.server import WireServer
from gateway_worker.sandbox.service.faults import NO_FAULTS
from gateway_worker.sandbox.service.service import Service
from gateway_worker.sandbox.wire.jid import Jid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from gateway_worker.sandbox.service.connections import LinkState

CLIENT = Path(__file__).with_name("wire_client.py")
PATIENCE_SECONDS = 30.0
ANN = "4917000000001"
BOB = "4917000000002"

Event = dict[str, Any]


class LibraryClient:
    """One process with the real library; events are read in order and kept."""

    def __init__(self, *, server: WireServer, store: Path) -> None:
        """Prepare; `run` starts it."""
        self._server = server
        self.store = store
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._seen: list[Event] = []
        self._news = asyncio.Condition()
        self._calls = 0
        self.jid = ""
        self.logged_out = False

    @asynccontextmanager
    async def run(self, *, resume: bool = False) -> AsyncIterator[LibraryClient]:
        """Run the process for the length of the block; with the stored session if asked."""
        await self.start(resume=resume)
        try:
            yield self
        finally:
            await self.stop()

    async def start(self, *, resume: bool = False) -> None:
        """Start the process; with the stored session if asked."""
        self._seen = []
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(CLIENT),
            self._server.proxy_url,
            self._server.root_key.hex(),
            str(self.store),
            self.jid if resume else "",
            env={**os.environ, "SSL_CERT_FILE": str(self._server.ca_file)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """End the process, if there is one, without a chance to say anything."""
        if self._process is None or self._reader is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader
        self._process = self._reader = None

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Stop the process in its tracks for the length of the block; its connection stays."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def forget_events(self) -> None:
        """Drop the events that nobody took."""
        self._seen.clear()

    async def event(self, kind: str, **expected: Any) -> Event:
        """Take the first event of a kind (with these values) that was not taken yet."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            while True:
                for item in self._seen:
                    if item["event"] == kind and expected.items() <= item.items():
                        self._seen.remove(item)
                        return item
                await self._news.wait()

    def seen(self, kind: str) -> list[Event]:
        """The events of a kind that were not taken yet."""
        return [item for item in self._seen if item["event"] == kind]

    async def call(self, do: str, **values: Any) -> Any:
        """Run a command and wait for its result.

        Raises:
            RuntimeError: the library raised; the message is its own.
        """
        number = await self.start_call(do, **values)
        return await self.result_of(number)

    async def start_call(self, do: str, **values: Any) -> int:
        """Start a command; `result_of` gives its result."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._calls += 1
        command = {"do": do, "n": self._calls, **values}
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()
        return self._calls

    async def result_of(self, number: int) -> Any:
        """Wait for the result of a started command."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            while True:
                for item in self._seen:
                    if item.get("n") == number:
                        self._seen.remove(item)
                        if item["event"] == "failed":
                            raise RuntimeError(item["error"])
                        return item["value"]
                await self._news.wait()

    async def pair(self, phone: Phone) -> None:
        """Link this client to a phone by QR and wait until it is logged in."""
        qr = await self.event("qr")
        await phone.scan(qr["text"])
        await self.connected()

    async def connected(self) -> Event:
        """Wait for the next successful login."""
        event = await self.event("connected")
        self.jid = event["jid"]
        return event

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._news:
                event = json.loads(line)
                self.logged_out = self.logged_out or event["event"] == "logged_out"
                self._seen.append(event)
                self._news.notify_all()


class World:
    """A server, the phones of Ann and Bob, and where stores go."""

    def __init__(self, *, service: Service, server: WireServer, ann: Phone, bob: Phone) -> None:
        """Hold what was opened."""
        self.service = service
        self.server = server
        self.ann = ann
        self.bob = bob

    def client(self, store: Path) -> LibraryClient:
        """A client that is not running yet."""
        return LibraryClient(server=self.server, store=store)

    def link(self, phone: Phone | None = None) -> LinkState:
        """The state of the only companion of a phone (Ann's if not given)."""
        (state,) = self.service.connections.links((phone or self.ann).number)
        return state

    @property
    def device(self) -> Jid:
        """Ann's only companion."""
        return self.link().device


@asynccontextmanager
async def open_phone(service: Service, number: str, push_name: str) -> AsyncIterator[Phone]:
    """Switch a phone on; fails afterwards if it had problems."""
    async with Phone.open(service=service, number=number, push_name=push_name) as phone:
        yield phone
        problems = list(phone.handling_errors)
        assert not problems, problems


@asynccontextmanager
async def open_world(directory: Path) -> AsyncIterator[World]:
    """Open a server with two phones."""
    service = Service()
    async with (
        WireServer(service=service, directory=directory) as server,
        open_phone(service, ANN, "Ann") as ann,
        open_phone(service, BOB, "Bob") as bob,
    ):
        yield World(service=service, server=server, ann=ann, bob=bob)


class SharedPair:
    """A server with one paired client that a module's tests share, for pairing takes seconds.

    Whatever a test leaves (faults, a client that is unavailable or was logged out) is put right
    before the next one. Each test gets a Bob of its own.
    """

    def __init__(
        self, *, service: Service, server: WireServer, ann: Phone, directory: Path
    ) -> None:
        """Hold what was opened."""
        self.service = service
        self.server = server
        self.ann = ann
        self._directory = directory
        self._stores = 0
        self._numbers = itertools.count(int(BOB))
        self.client = self._new_client()

    @classmethod
    @asynccontextmanager
    async def open(cls, directory: Path) -> AsyncIterator[SharedPair]:
        """Open the server and Ann's phone; the client starts with the first test."""
        service = Service()
        async with (
            WireServer(service=service, directory=directory) as server,
            open_phone(service, ANN, "Ann") as ann,
        ):
            pair = cls(service=service, server=server, ann=ann, directory=directory)
            try:
                yield pair
            finally:
                await pair.client.stop()

    @asynccontextmanager
    async def world(self) -> AsyncIterator[World]:
        """One test's world: the shared client connected, no faults, a new Bob."""
        await self._put_right()
        number = str(next(self._numbers))
        async with open_phone(self.service, number, "Bob") as bob:
            yield World(service=self.service, server=self.server, ann=self.ann, bob=bob)

    def _new_client(self) -> LibraryClient:
        self._stores += 1
        store = self._directory / f"store-{self._stores}.db"
        return LibraryClient(server=self.server, store=store)

    async def _put_right(self) -> None:
        self.service.faults.set(self.ann.number, NO_FAULTS)
        await self.server.accept_connections()
        links = self.service.connections.links(self.ann.number)
        if not links:
            await self.client.stop()
            self.client = self._new_client()
            await self.client.start()
            await self.client.pair(self.ann)
        elif not links[0].online:
            await self.client.stop()
            if self.client.logged_out:
                self.service.linking.unlink(links[0].device)
                await self._put_right()
                return
            await self.client.start(resume=True)
            await self.client.connected()
        self.client.forget_events()
