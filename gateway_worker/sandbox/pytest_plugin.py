"""Fixtures for the tests of a backend: the sandbox as a process beside the test run.

Add `pytest_plugins = ["gateway_worker.sandbox.pytest_plugin"]` to the top conftest. No other plugin
is needed, neither for sync nor for async tests: this one runs the coroutines that no other has run.
With services and a worker beside the sandbox: `gateway_worker.devkit.pytest_plugin`.

    async def test_a_customer_gets_an_answer(whatsapp_sandbox):
        env = whatsapp_sandbox.worker_env            # for the gateway worker under test
        async with whatsapp_sandbox.client() as sandbox:
            ada = await sandbox.add_phone(push_name="Ada")
            ...
            await sandbox.send_text(ada.number, shop.number, "Are you open?")
            answer = await sandbox.next_message(ada.number)

One process serves the whole run, so tests share its accounts: let the sandbox choose the numbers.
The run fails at its end when anything asked the sandbox for a host other than WhatsApp's.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import secrets
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from gateway_worker.sandbox.control.client import SandboxClient

STOP_SECONDS: Final = 10


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test that no plugin before this one has taken."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    given = pyfuncitem.funcargs
    names = [name for name in inspect.signature(pyfuncitem.obj).parameters if name in given]
    asyncio.run(pyfuncitem.obj(**{name: given[name] for name in names}))
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSandbox:
    """A sandbox in another process.

    Attributes:
        control_url: base URL of its control API.
        control_token: the bearer token that the API demands.
        worker_env: the three environment variables that point a worker at it.
    """

    control_url: str
    control_token: str = field(repr=False)
    worker_env: dict[str, str]

    def client(self) -> AbstractAsyncContextManager[SandboxClient]:
        """Return a client of the control API, to be entered with `async with`."""
        from gateway_worker.sandbox.control.client import SandboxClient  # noqa: PLC0415

        return SandboxClient.connect(url=self.control_url, token=self.control_token)

    def egress_attempts(self) -> list[dict[str, str]]:
        """Return the refused requests for other hosts, without an event loop."""
        request = urllib.request.Request(  # noqa: S310 - the address is our own
            f"{self.control_url}/egress-attempts",
            headers={"Authorization": f"Bearer {self.control_token}"},
        )
        with urllib.request.urlopen(request, timeout=STOP_SECONDS) as answer:  # noqa: S310
            attempts: list[dict[str, str]] = json.load(answer)["attempts"]
            return attempts


@pytest.fixture(scope="session")
def whatsapp_sandbox_process(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningSandbox]:
    """Run one sandbox for the whole test run; it ends with the run, however that ends."""
    directory = tmp_path_factory.mktemp("whatsapp-sandbox")
    token = secrets.token_urlsafe(24)
    with (
        (directory / "sandbox.log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 - our own interpreter and module
            _command(directory, token), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait()
            reason = (directory / "sandbox.log").read_text(errors="replace")
            pytest.fail(f"the WhatsApp sandbox did not start:\n{reason}")
        ready = json.loads(line)
        sandbox = RunningSandbox(
            control_url=ready["control_url"],
            control_token=token,
            worker_env={
                "SANDBOX_PROXY_URL": ready["proxy_url"],
                "SANDBOX_CA_FILE": ready["ca_file"],
                "SANDBOX_ROOT_KEY": ready["root_key"],
            },
        )
        try:
            yield sandbox
            assert sandbox.egress_attempts() == []
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def whatsapp_sandbox(whatsapp_sandbox_process: RunningSandbox) -> RunningSandbox:
    """Return the running sandbox; starts it for the first test that asks."""
    return whatsapp_sandbox_process


def _command(directory: Path, token: str) -> list[str]:
    token_file = directory / "control-token"
    token_file.touch(mode=0o600)
    token_file.write_text(token)
    return [
        sys.executable,
        "-m",
        "gateway_worker.sandbox",
        "--exit-with-stdin",
        "--directory",
        str(directory),
        "--control-token-file",
        str(token_file),
    ]
