"""The image, as far as it can be known without building it, and the probe that it carries."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import pytest
from aiohttp import web

from gateway_worker.config.variables import BY_NAME
from gateway_worker.devkit.deploy.tools import CHECKOUT
from gateway_worker.health.server import PATHS

DOCKERFILE = (CHECKOUT / "deploy/docker/Dockerfile").read_text()
PROBE = CHECKOUT / "deploy/docker/probe.py"
INSTRUCTIONS = [
    re.sub(r"\s+", " ", line)
    for line in re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    .replace("\\\n", " ")
    .splitlines()
    if line
]
FINAL = INSTRUCTIONS[max(n for n, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]
FROM_THE_SYSTEM = {"PATH", "HOME", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


def said(instruction: str) -> list[str]:
    """Return what an instruction says in the last stage."""
    return [
        line.removeprefix(f"{instruction} ") for line in FINAL if line.startswith(f"{instruction} ")
    ]


def variables() -> dict[str, str]:
    """Return the last stage's environment."""
    return dict(word.split("=", 1) for line in said("ENV") for word in line.split())


def test_all_stages_have_one_base_that_is_pinned() -> None:
    """By its digest, which `deploy/docker/pin` renews in one line."""
    images = [line.split()[1] for line in INSTRUCTIONS if line.startswith("FROM ")]

    assert set(images) == {"${PYTHON_IMAGE}"}
    assert re.fullmatch(
        r"ARG PYTHON_IMAGE=python:3\.\d+-slim-\w+@sha256:[0-9a-f]{64}", INSTRUCTIONS[0]
    )


def test_it_sets_what_the_worker_knows() -> None:
    """A name that the worker does not know would do nothing."""
    assert variables().keys() - FROM_THE_SYSTEM <= BY_NAME.keys()


def test_nobody_can_put_settings_where_the_worker_reads_them() -> None:
    """Neither `.env` nor a library's own file: where it works and lives, it may write nothing."""
    (user,), (directory,), (volume,) = said("USER"), said("WORKDIR"), said("VOLUME")

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert not PurePosixPath(directory).is_relative_to(volume)
    assert PurePosixPath(variables()["DATA_DIR"]).is_relative_to(volume)
    assert variables()["HOME"] == "/nonexistent"
    assert not any("chown" in line or "chmod" in line for line in FINAL)


def test_developers_tools_stay_outside() -> None:
    """What is sent to the engine has none of them."""
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()

    assert lines[0] == "*"
    assert lines.index("gateway_worker/devkit") > lines.index("!gateway_worker")


def test_everything_that_is_copied_is_sent_to_the_engine() -> None:
    """And is there."""
    sent = [
        line.removeprefix("!")
        for line in (CHECKOUT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copied = [
        word
        for line in INSTRUCTIONS
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]

    assert copied
    for path in copied:
        assert (CHECKOUT / path).exists()
        assert any(PurePosixPath(path).match(pattern) for pattern in sent), path


@pytest.fixture
async def answered() -> AsyncIterator[tuple[int, list[str], list[int]]]:
    """Serve on loopback; yields the port, what was asked, and the status that is answered."""
    asked: list[str] = []
    status = [200]

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"live": status[0] == 200}, status=status[0])

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1], asked, status
    await runner.cleanup()


async def probe(**environment: str) -> tuple[int, str]:
    """Run the probe as the image does; returns its exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(PROBE)),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "127.0.0.1"])
async def test_the_probe_asks_whether_the_worker_lives(
    answered: tuple[int, list[str], list[int]], host: str
) -> None:
    """Wherever it listens."""
    port, asked, status = answered
    where = {"HEALTH_HOST": host, "HEALTH_PORT": str(port)}

    assert await probe(**where) == (0, '{"live": true}\n')
    status[0] = 503
    assert await probe(**where) == (1, '{"live": false}\n')
    assert asked == ["/live", "/live"]
    assert set(asked) <= set(PATHS)


async def test_the_probe_says_why_it_gets_no_answer(
    answered: tuple[int, list[str], list[int]],
) -> None:
    """A worker that does not listen does not live."""
    port, _, _ = answered
    code, text = await probe(HEALTH_HOST="127.0.0.2", HEALTH_PORT=str(port))

    assert code == 1
    assert "Refused" in text
