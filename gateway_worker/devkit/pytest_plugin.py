"""A whole gateway for the tests of a backend: services, worker, simulated phones, and a client.

`pip install 'gateway-worker[testing]'` brings all but RabbitMQ, which is the system's
(`apt install rabbitmq-server`), Docker's, or the one that `AMQP_URL` names; `DATABASE_URL`,
`REDIS_URL` and `S3_ENDPOINT_URL` count as well. No other plugin is needed. In the top conftest:

    pytest_plugins = ["gateway_worker.devkit.pytest_plugin"]

and in a test, where your own backend connects to `whatsapp_gateway.amqp_url`:

    from gateway_contracts import CommandSucceeded, MessageReceived


    async def test_a_conversation(whatsapp_gateway):
        async with whatsapp_gateway.session("shop") as shop:
            ada = await shop.sandbox.add_phone(push_name="Ada")
            assert isinstance(await shop.send_text(ada.number, "Hello"), CommandSucceeded)
            assert (await shop.sandbox.next_message(ada.number)).text == "Hello"
            await shop.sandbox.send_text(ada.number, shop.phone.number, "Are you open?")
            await shop.backend.expect(MessageReceived, "shop")

One gateway serves the whole run, so tests share it: give each its own sessions, and let the sandbox
choose the numbers. Starting it takes some seconds.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from gateway_contracts import (
    CommandSucceeded,
    MessageSend,
    MessageSendData,
    SessionCreate,
    SessionDelete,
    SessionState,
    SessionStatus,
    TextToSend,
)
from gateway_worker.devkit.backend import Backend, OutcomeEvent
from gateway_worker.devkit.gateway.addresses import Addresses
from gateway_worker.devkit.gateway.talk import shown_code
from gateway_worker.sandbox.control.client import SandboxClient
from gateway_worker.sandbox.control.models import PhoneView

pytest_plugins = ["gateway_worker.sandbox.pytest_plugin"]  # runs async tests

_STOP_SECONDS: Final = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedSession:
    """A session whose account is linked and connected.

    Attributes:
        id: Its name.
        phone: The phone that it is linked to.
        backend: Publishes commands and has all events, from before the session was there.
        sandbox: All phones.
    """

    id: str
    phone: PhoneView
    backend: Backend
    sandbox: SandboxClient

    async def send_text(self, to: str, text: str) -> OutcomeEvent:
        """Have the session send a text to a number; return the event that tells the outcome."""
        data = MessageSendData(to=f"+{to.removeprefix('+')}", content=TextToSend(text=text))
        return await self.backend.request(
            MessageSend(source=self.backend.source, subject=self.id, data=data)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGateway:
    """A gateway in another process; `amqp_url` is what a backend connects to."""

    addresses: Addresses

    @property
    def amqp_url(self) -> str:
        """The broker, with credentials."""
        return self.addresses.amqp_url

    def backend(self, name: str = "tests") -> AbstractAsyncContextManager[Backend]:
        """Return a small backend, to be entered with `async with`."""
        return Backend.open(self.amqp_url, name=name)

    def sandbox(self) -> AbstractAsyncContextManager[SandboxClient]:
        """Return a client of the phones' control API, to be entered with `async with`."""
        return SandboxClient.connect(
            url=self.addresses.control_url, token=self.addresses.control_token
        )

    @asynccontextmanager
    async def session(self, session_id: str) -> AsyncIterator[LinkedSession]:
        """Create a session, link it to a new phone, and delete it at the end."""
        async with self.backend() as backend, self.sandbox() as sandbox:
            phone = await sandbox.add_phone(push_name=session_id)
            await _done(backend, SessionCreate(source=backend.source, subject=session_id))
            await sandbox.scan(phone.number, await shown_code(backend, session_id))
            await backend.expect(SessionStatus, session_id, _is_connected)
            yield LinkedSession(id=session_id, phone=phone, backend=backend, sandbox=sandbox)
            await _done(backend, SessionDelete(source=backend.source, subject=session_id))


@pytest.fixture(scope="session")
def whatsapp_gateway_process(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningGateway]:
    """Run one gateway for the whole test run; it ends with the run, however that ends."""
    directory = tmp_path_factory.mktemp("whatsapp-gateway")
    log = directory / "gateway.log"
    command = [sys.executable, "-m", "gateway_worker.devkit.gateway", "--for-tests"]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [*command, "--data", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait()
            pytest.fail(f"the gateway did not start:\n{log.read_text(errors='replace')}")
        gateway = RunningGateway(addresses=Addresses.from_json(line.decode()))
        try:
            yield gateway
            assert asyncio.run(_attempts_to_leave(gateway)) == ()
        finally:
            process.stdin.close()
            _end(process, log)


@pytest.fixture
def whatsapp_gateway(whatsapp_gateway_process: RunningGateway) -> RunningGateway:
    """Return the running gateway; starts it for the first test that asks."""
    return whatsapp_gateway_process


async def _done(backend: Backend, command: SessionCreate | SessionDelete) -> None:
    outcome = await backend.request(command)
    assert isinstance(outcome, CommandSucceeded), outcome


def _is_connected(event: SessionStatus) -> bool:
    return event.data.state is SessionState.CONNECTED


async def _attempts_to_leave(gateway: RunningGateway) -> tuple[object, ...]:
    async with gateway.sandbox() as sandbox:
        return await sandbox.egress_attempts()


def _end(process: "subprocess.Popen[bytes]", log: Path) -> None:
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"the gateway did not end:\n{log.read_text(errors='replace')}")
