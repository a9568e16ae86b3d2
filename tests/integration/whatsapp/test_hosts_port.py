"""A host begins and ends alike, whether it is a process or stands for one in a test's memory."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_contracts import Account, PairByQr
from gateway_worker.errors import SessionNotConnectedError
from gateway_worker.host_protocol.methods.messages import FindChats
from gateway_worker.host_protocol.signals import Exited, Up
from gateway_worker.sessions.hosting import HostEvent, HostLauncher, HostSpec, SessionHost
from tests.integration.whatsapp.stage import Stage
from tests.support.eventually import eventually
from tests.support.hosts import MemoryLauncher

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

ACCOUNT = Account(jid="12025550100:1@s.whatsapp.net", phone_number="+12025550100")


@dataclass(kw_only=True)
class Place:
    """A linked session that has no host yet.

    Attributes:
        launcher: The port.
        spec: The session's.
        events: What its host has told.
    """

    launcher: HostLauncher
    spec: HostSpec
    events: list[HostEvent] = field(default_factory=list)

    async def listen(self, event: HostEvent) -> None:
        """Note what a host tells."""
        self.events.append(event)

    async def launch(self) -> SessionHost:
        """Start a host and wait for its connection."""
        host = await self.launcher.launch(self.spec, self.listen)
        await eventually(lambda: any(isinstance(event, Up) for event in self.events))
        return host

    async def ended(self) -> Exited:
        """Wait for the end of the host, which is told once and last."""
        await eventually(lambda: isinstance(self.events[-1], Exited))
        exits = [event for event in self.events if isinstance(event, Exited)]
        assert len(exits) == 1
        return exits[0]


def spec_of(session_id: str, directory: Path, jid: str) -> HostSpec:
    """Return how to start a host of a linked session."""
    return HostSpec(
        session_id=session_id,
        directory=directory,
        resume_jid=jid,
        pairing=PairByQr(),
        device_name="Test",
    )


@pytest_asyncio.fixture(params=["process", "memory"], loop_scope="session")
async def place(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Place:
    """Return a linked session."""
    if request.param == "memory":
        return Place(launcher=MemoryLauncher(ACCOUNT), spec=spec_of("s", tmp_path, ACCOUNT.jid))
    account = await stage.linked()
    await account.stop()
    return Place(
        launcher=stage.processes,
        spec=spec_of(account.name, account.directory, account.jid or ""),
    )


async def test_a_linked_session_s_host_connects(place: Place) -> None:
    """As the device that it resumes."""
    host = await place.launch()
    (up,) = [event for event in place.events if isinstance(event, Up)]
    assert up.account.jid == place.spec.resume_jid
    assert host.pid > 0
    await host.stop()


async def test_a_host_that_is_stopped_leaves_as_expected(place: Place) -> None:
    """Once, however often it is told to."""
    host = await place.launch()
    for _ in range(2):
        await host.stop()
    host.kill()
    assert (await place.ended()).expected


async def test_a_host_that_is_killed_is_told_as_gone(place: Place) -> None:
    """Nobody has told it to leave."""
    host = await place.launch()
    for _ in range(2):
        host.kill()
    assert not (await place.ended()).expected
    await host.stop()
    await place.ended()


async def test_a_host_that_is_gone_answers_nothing(place: Place) -> None:
    """What is asked of it has had no effect; the next host takes its place."""
    host = await place.launch()
    await host.stop()
    await place.ended()
    host.acknowledge(1)
    with pytest.raises(SessionNotConnectedError):
        await host.request(FindChats(to="12025550101"))
    place.events.clear()
    again = await place.launch()
    await again.stop()
    assert (await place.ended()).expected
