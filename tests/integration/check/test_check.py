"""`gateway-worker check`: all services at once, each by name, within five seconds."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiohttp import web

from gateway_worker.sessions.ownership.disk import claimed, settle
from tests.e2e.failures.links import POSTGRESQL, RABBITMQ, REDIS, S3, Links
from tests.support.commands import Commands
from tests.support.disk_records import MemoryDiskRecords
from tests.unit.tenants.test_tokens import published

NAMES = {RABBITMQ: "RabbitMQ", POSTGRESQL: "PostgreSQL", REDIS: "Redis", S3: "S3"}
SHOWN = {*NAMES.values(), "DATA_DIR", "JWKS"}
REQUIRED = {RABBITMQ, POSTGRESQL}

Check = Callable[[Mapping[str, str]], Awaitable[tuple[int, dict[str, str]]]]
"""Returns the exit code and what is said of each service."""


@pytest.fixture
async def links(environment: dict[str, str]) -> AsyncIterator[Links]:
    """A link to each service."""
    async with Links.to({**environment, "SANDBOX_PROXY_URL": "http://127.0.0.1:1"}) as links:
        yield links


@pytest.fixture
def check(commands: Commands, tmp_path: Path) -> Check:
    """Run `gateway-worker check`."""

    async def run(environment: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        answer = await commands.run(environment, tmp_path, "check")
        lines = (answer.out + answer.err).splitlines()
        found = {name: line for line in lines for name in SHOWN if line.startswith(f"{name} ")}
        return answer.code, found

    return run


def _through(links: Links, environment: dict[str, str]) -> dict[str, str]:
    through = links.environment({**environment, "SANDBOX_PROXY_URL": "http://127.0.0.1:1"})
    del through["SANDBOX_PROXY_URL"]
    return through


async def test_all_that_is_there_is_reached(environment: dict[str, str], check: Check) -> None:
    """And whether it is required is said too."""
    code, found = await check(environment)
    assert code == 0, found
    assert found == {
        "DATA_DIR": "DATA_DIR    required      usable",
        "RabbitMQ": "RabbitMQ    required      reached",
        "PostgreSQL": "PostgreSQL  required      reached",
        "Redis": "Redis       not required  reached",
        "S3": "S3          not required  reached",
    }


@pytest.mark.parametrize("kind", ["silent", "gone"])
@pytest.mark.parametrize("away", [[REDIS, S3], [RABBITMQ, POSTGRESQL, REDIS, S3]])
async def test_what_is_away_is_named(
    environment: dict[str, str], links: Links, check: Check, kind: str, away: list[str]
) -> None:
    """Whether it says nothing or is not there; only what is required makes the check fail."""
    for name in away:
        if kind == "silent":
            links[name].pause()
        else:
            await links[name].refuse()
    code, found = await check(_through(links, environment))

    assert code == int(bool(REQUIRED & set(away))), found
    for name, shown in NAMES.items():
        assert ("NOT REACHED" in found[shown]) is (name in away)
    assert "correct S3_ENDPOINT_URL" in found["S3"]


async def test_what_is_refused_would_keep_a_worker_from_starting(
    environment: dict[str, str], check: Check
) -> None:
    """Required or not."""
    wrong = {"S3_SECRET_ACCESS_KEY": "wrong", "S3_BUCKET": "no-such-bucket-here"}
    code, found = await check({**environment, **wrong})
    assert code == 1
    assert "REFUSED" in found["S3"]


async def test_a_store_that_takes_nothing_is_named(
    environment: dict[str, str], check: Check, unused_tcp_port: int
) -> None:
    """As one does whose user may only look: the bucket is there, and no copy would be."""

    async def answer(asked: web.Request) -> web.Response:
        if asked.method == "HEAD":
            return web.Response()
        text = "<Error><Code>AccessDenied</Code></Error>"
        return web.Response(status=403, text=text, content_type="application/xml")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    there = {"S3_ENDPOINT_URL": f"http://127.0.0.1:{unused_tcp_port}"}
    code, found = await check({**environment, **there})
    await runner.cleanup()

    assert code == 0, found
    assert "NOT USABLE" in found["S3"]
    assert "AccessDenied" in found["S3"]


async def test_a_schema_that_lacks_migrations_is_named(
    environment: dict[str, str], check: Check
) -> None:
    """With the command that brings it up to date; the check itself changes nothing."""
    database = await asyncpg.connect(environment["DATABASE_URL"])
    await database.execute("UPDATE alembic_version SET version_num = '0001'")
    await database.close()
    code, found = await check(environment)
    assert code == 1
    assert "gateway-worker migrate" in found["PostgreSQL"]


async def test_a_directory_that_a_worker_would_refuse(
    environment: dict[str, str], check: Check, tmp_path: Path
) -> None:
    """Another worker's, and that of another fleet's; this worker's own may be in use."""
    directory = tmp_path / "data"
    mine = {**environment, "DATA_DIR": str(directory), "WORKER_ID": "mine"}
    with claimed(directory, worker_id="mine") as disk:
        await settle(disk, MemoryDiskRecords(), fleet=str(uuid4()), are_portable=True)
        code, found = await check(mine)
        assert (code, found["DATA_DIR"]) == (0, "DATA_DIR    required      usable")
        code, found = await check({**mine, "WORKER_ID": "other"})
        assert code == 1
        assert "REFUSED: " + str(directory) in found["DATA_DIR"]
        assert "in use by the worker mine" in found["DATA_DIR"]

    (directory / "sessions" / "s").mkdir(parents=True)
    code, found = await check(mine)
    assert code == 1
    assert "another fleet than that of DATABASE_URL" in found["DATA_DIR"]


@pytest.mark.parametrize(
    ("document", "code", "said"),
    [
        (json.dumps(published()), 0, "reached"),
        (None, 1, "NOT REACHED"),
        ('{"keys": []}', 1, "REFUSED: there is no key"),
    ],
    ids=["there", "missing", "empty"],
)
async def test_the_keys_of_tokens_are_asked_for(
    environment: dict[str, str],
    check: Check,
    tmp_path: Path,
    document: str | None,
    code: int,
    said: str,
) -> None:
    """Where tenants are told apart by tokens no command is executed without them."""
    place = tmp_path / "keys.json"
    if document is not None:
        place.write_text(document)
    tokens = {"TENANTS": "jwt", "JWT_JWKS": str(place), "JWT_AUDIENCE": "gateway"}

    found_code, found = await check({**environment, **tokens})

    assert found_code == code, found
    assert said in found["JWKS"]
