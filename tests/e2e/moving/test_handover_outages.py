"""A session is to move while something that its handover needs is away, or slow.

It stays connected until its new worker can have it, or is away for a bounded moment and back at its
old worker; nothing is lost, nobody has to scan a code, and in the end it moves.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from gateway_contracts import (
    CommandSucceeded,
    MessageReceived,
    SessionMigrate,
    SessionMigrateData,
    SessionState,
    SessionStatus,
    StatusReason,
    TextContent,
)
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.conftest import GatewayMaker
from tests.e2e.failures.links import FAULTS, POSTGRESQL, RABBITMQ, S3, Links
from tests.e2e.fleet import Fleet, open_fleet
from tests.support.eventually import eventually
from tests.support.services import random_name

SLOW_COPY_SECONDS = 1.8
"""Longer than a session is kept waiting without a connection, shorter than with one."""
PASSES_OF_A_COPY = 2
"""It is written, and read back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A linked session at one of two workers, whose links to all they need can fail.

    Attributes:
        name: The session.
        logs: How long the logs of the workers were before it was linked, in bytes.
    """

    fleet: Fleet
    links: Links
    name: str
    shop: Phone
    ada: Phone
    ben: Phone
    home: str
    since: int
    logs: Mapping[str, int]

    @property
    def other(self) -> str:
        """The worker that the session is not at."""
        return self.fleet.other(self.home)

    def statuses(self) -> list[tuple[SessionState, StatusReason | None, str | None]]:
        """Return what was told of the session since it was connected, and by whom."""
        return [
            (one.event.data.state, one.event.data.reason, one.event.data.worker)
            for one in self.fleet.backend.arrivals[self.since :]
            if isinstance(one.event, SessionStatus) and one.event.subject == self.name
        ]

    def said(self, event: str, by: str | None = None) -> list[dict[str, Any]]:
        """Return what a worker has logged under a name."""
        worker = by or self.home
        log = self.fleet.workers[worker].log_path.read_bytes()[self.logs[worker] :]
        lines = [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]
        return [line for line in lines if line["event"] == event]

    async def migrate(self) -> str:
        """Ask for the session to move; returns the command's id."""
        command = SessionMigrate(
            source=self.fleet.backend.source, subject=self.name, data=SessionMigrateData(to=None)
        )
        await self.fleet.backend.publish(command)
        return command.id

    async def until_said(self, event: str, times: int = 1) -> None:
        """Wait until the session's worker has logged something so often."""
        await eventually(
            lambda: len(self.said(event)) >= times, timeout_seconds=30, reason=f"{event} is said"
        )

    async def hears(self, text: str) -> None:
        """Have a text written to the session, and wait for the event that tells of it."""
        await self.ben.send_text(self.shop.number, text)
        await self.fleet.backend.expect(
            MessageReceived,
            self.name,
            lambda event: event.data.content == TextContent(text=text),
            after=self.since,
        )

    async def has_moved(self, command_id: str) -> None:
        """Wait for the end of a move, and use the session at its new worker."""
        outcome = await self.fleet.backend.outcome(command_id, seconds=60)
        assert isinstance(outcome, CommandSucceeded), outcome
        await self.is_used_elsewhere()

    async def is_used_elsewhere(self) -> None:
        """Wait until the session is connected at its new worker, and use it there."""
        await self.fleet.until_at(self.name, self.other, after=self.since)
        await self.fleet.send(self.name, self.ada.number, "from there")
        assert (await self.ada.next_message(timeout=30)).text == "from there"
        await self.hears("to there")
        self.fleet.assert_whole(self.name, after=self.since)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def linked_fleet(
    gateway_maker: GatewayMaker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Fleet, Links]]:
    """Two workers behind links; the backend's own connection leads past these."""
    more = {
        "LOG_FORMAT": "json",
        "AMQP_RECONNECT_MAXIMUM_SECONDS": "0.3",
        "LEASE_SECONDS": "12",
    }
    async with AsyncExitStack() as stack:
        sandbox, environment = await stack.enter_async_context(gateway_maker.place())
        links = await stack.enter_async_context(Links.to({**environment, **sandbox.worker_env}))
        directory = tmp_path_factory.mktemp("linked")
        fleet = await stack.enter_async_context(
            open_fleet(
                sandbox, environment, directory, ("alpha", "beta"), more, reroute=links.reroute
            )
        )
        yield fleet, links


@pytest_asyncio.fixture(loop_scope="session")
async def scene(linked_fleet: tuple[Fleet, Links]) -> AsyncIterator[Scene]:
    """A session at one of the workers, both whole, also after a test that has failed."""
    fleet, links = linked_fleet
    await links.heal()
    await fleet.restored()
    logs = {name: worker.log_path.stat().st_size for name, worker in fleet.workers.items()}
    shop, ada, ben = [await fleet.sandbox.add_phone() for _ in range(3)]
    name = random_name()
    await fleet.link(name, shop)
    yield Scene(
        fleet=fleet,
        links=links,
        name=name,
        shop=shop,
        ada=ada,
        ben=ben,
        home=fleet.home(name),
        since=len(fleet.backend.arrivals),
        logs=logs,
    )
    await links.heal()
    await fleet.forget(name)


@pytest.mark.parametrize("fault", ["stopped", "stalled"])
async def test_a_session_stays_connected_while_the_object_store_is_away(
    scene: Scene, fault: str
) -> None:
    """The command is tried again; meanwhile messages arrive, and no change of state is told."""
    async with FAULTS[fault](scene.links[S3]):
        command_id = await scene.migrate()
        await scene.until_said("command.retrying")
        await scene.hears("while it waits")
        assert scene.statuses() == []
    await scene.has_moved(command_id)
    assert scene.statuses()[0] == (
        SessionState.RECONNECTING,
        StatusReason.HANDED_OVER,
        scene.home,
    )


async def test_an_object_store_that_becomes_slow_at_the_last_moment(scene: Scene) -> None:
    """The session is back where it was, and moves when copies are quick again."""
    size_bytes = max(line["size_bytes"] for line in scene.said("snapshot.saved"))
    scene.links[S3].throttle(size_bytes * PASSES_OF_A_COPY / SLOW_COPY_SECONDS)
    command_id = await scene.migrate()
    await scene.until_said("command.retrying")
    scene.links[S3].throttle(0)
    await scene.has_moved(command_id)
    told = scene.statuses()
    assert told[:2] == [
        (SessionState.RECONNECTING, StatusReason.HANDED_OVER, scene.home),
        (SessionState.CONNECTING, StatusReason.REQUESTED, scene.home),
    ]
    # The worker that had it said nothing more once the other one had it.
    first = next(place for place, (_, _, worker) in enumerate(told) if worker == scene.other)
    assert {worker for _, _, worker in told[first:]} == {scene.other}


async def test_a_worker_that_leaves_waits_for_the_object_store(scene: Scene) -> None:
    """Its sessions are connected meanwhile; they are handed over, not taken over."""
    async with FAULTS["stopped"](scene.links[S3]):
        leaving = asyncio.create_task(scene.fleet.workers[scene.home].stop())
        await scene.until_said("drain.session_waits", times=2)
        await scene.hears("while it waits")
        assert scene.statuses() == []
    await leaving
    await scene.is_used_elsewhere()
    assert StatusReason.TAKEN_OVER not in {reason for _, reason, _ in scene.statuses()}


@pytest.mark.parametrize("name", [POSTGRESQL, RABBITMQ])
async def test_a_worker_that_leaves_waits_for_database_and_broker(scene: Scene, name: str) -> None:
    """Without them nobody could be given its sessions, or be told of them: they stay connected."""
    said = {POSTGRESQL: "drain.not_announced", RABBITMQ: "drain.session_waits"}[name]
    worker = scene.fleet.workers[scene.home]
    async with FAULTS["stopped"](scene.links[name]):
        leaving = asyncio.create_task(worker.stop())
        await scene.until_said(said, times=2)
        assert len(worker.hosts()) == 1
        assert not scene.said("session.host_exited")
    await leaving
    await scene.is_used_elsewhere()
    assert StatusReason.TAKEN_OVER not in {reason for _, reason, _ in scene.statuses()}
