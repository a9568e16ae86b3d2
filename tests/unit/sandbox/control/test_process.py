"""The sandbox as a process: its ready line, its end, its refusals, and the fixtures for others."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.control.client import SandboxClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytest_plugins = ["pytester"]


@asynccontextmanager
async def started(*options: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command; killed at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway_worker.sandbox",
        *options,
        env={**os.environ, **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_says_when_it_is_ready_and_stops_on_a_signal(tmp_path: Path) -> None:
    """One line on standard output, the same in the file, and certificates where it was told."""
    ready_file, token_file = tmp_path / "ready.json", tmp_path / "token"
    token_file.write_text("secret\n")
    options = ["--ready-file", str(ready_file), "--control-token-file", str(token_file)]
    options += ["--directory", str(tmp_path / "certs"), "--phone", "4915550001:Anna"]
    async with started(*options) as process:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        assert json.loads(ready_file.read_text()) == ready
        assert ready["ca_file"] == str(tmp_path / "certs" / "ca.pem")
        async with SandboxClient.connect(url=ready["control_url"], token="secret") as client:
            assert [phone.push_name for phone in await client.phones()] == ["Anna"]
            assert (await client.worker_env())["SANDBOX_PROXY_URL"] == ready["proxy_url"]

        process.send_signal(signal.SIGTERM)
        rest, _ = await process.communicate()

        assert (process.returncode, rest) == (0, b"")


async def test_it_ends_with_its_standard_input() -> None:
    """So it never outlives a test run that was killed."""
    async with started("--exit-with-stdin") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdout.readline()
        process.stdin.close()

        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("options", "env", "status", "reason"),
    [
        ([], {"ENVIRONMENT": "production"}, 2, b"ENVIRONMENT is production"),
        (["--proxy-port", "70000"], {}, 2, b"proxy_port: Input should be less than"),
        (["--media-mib", "0"], {}, 2, b"media_bytes: Input should be greater than"),
        (["--phone", "anna"], {}, 1, b"1 to 15 digits"),
        (["--phone", "1", "--phone", "1"], {}, 1, b"already registered"),
        (["--control-token-file", "/nonexistent"], {}, 1, b"No such file"),
    ],
)
async def test_a_wrong_start_is_explained(
    options: list[str], env: dict[str, str], status: int, reason: bytes
) -> None:
    """One line on standard error, no traceback, nothing on standard output."""
    async with started(*options, **env) as process:
        out, err = await process.communicate()

    assert (process.returncode, out) == (status, b"")
    assert reason in err
    assert b"Traceback" not in err


def test_the_fixtures_serve_sync_and_async_tests(pytester: pytest.Pytester) -> None:
    """What a backend team writes, run as they would."""
    pytester.makeconftest('pytest_plugins = ["gateway_worker.sandbox.pytest_plugin"]')
    pytester.makepyfile(
        """
        import asyncio

        def test_sync(whatsapp_sandbox):
            assert len(whatsapp_sandbox.worker_env) == 3
            assert whatsapp_sandbox.egress_attempts() == []

        def test_client(whatsapp_sandbox):
            async def talk():
                async with whatsapp_sandbox.client() as sandbox:
                    ada, ben = await sandbox.add_phone(), await sandbox.add_phone()
                    await sandbox.send_text(ada.number, ben.number, "hi")
                    return (await sandbox.next_message(ben.number)).text
            assert asyncio.run(talk()) == "hi"
        """
    )

    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(["-p", "no:asyncio", "-p", "no:anyio"], id="no plugin"),
        pytest.param([], id="plugins that wait for a mark"),
        pytest.param(["-o", "asyncio_mode=auto"], id="a plugin that takes all"),
    ],
)
def test_async_tests_need_no_other_plugin(pytester: pytest.Pytester, others: list[str]) -> None:
    """And are run once where there is one; a failing one fails."""
    pytester.makeconftest('pytest_plugins = ["gateway_worker.sandbox.pytest_plugin"]')
    pytester.makepyfile(
        """
        import asyncio

        async def test_passes(tmp_path, capsys):
            await asyncio.sleep(0)
            (tmp_path / "once").touch(exist_ok=False)

        async def test_fails():
            await asyncio.sleep(0)
            assert not "reached"

        class TestMethods:
            async def test_has_fixtures(self, tmp_path, default=3):
                assert tmp_path.exists() and default == 3
        """
    )

    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", *others)

    result.assert_outcomes(passed=2, failed=1)
