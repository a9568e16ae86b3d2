"""Every service over TLS, with a private authority and certificates that are replaced meanwhile."""

import asyncio
import os
import shutil
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web

from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.devkit.services.postgres import unprivileged_account
from gateway_worker.devkit.services.process import base_environment
from gateway_worker.errors import DependencyError
from gateway_worker.storage.cache import Cache, CacheSettings
from gateway_worker.storage.db.connecting import Connector
from gateway_worker.storage.db.settings import DatabaseSettings
from gateway_worker.storage.objects import Objects, ObjectsSettings
from tests.support.authority import Authority, Files
from tests.support.commands import Commands
from tests.support.eventually import eventually
from tests.support.pooler import Pooler, pooler
from tests.support.tls_front import TlsFront
from tests.support.web import file_server

SECONDS = 60.0
ELSEWHERE = "127.0.0.9"
AMQP, POSTGRESQL, REDIS, S3 = "amqp", "postgresql", "redis", "s3"
READ = """
import asyncio
import sys
from gateway_worker.errors import DependencyError
from gateway_worker.tenants.keys import read_url
try:
    print(asyncio.run(read_url(sys.argv[1])).decode())
except DependencyError as error:
    print(error)
"""

Ask = Callable[[], Awaitable[None]]
"""Has the client make use of its service. Raises DependencyError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Where both sides' certificates are."""

    server: Files
    client: Files


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A service behind TLS.

    Attributes:
        url: It, with what a client is to check it by.
        renew: Have the server use the certificates that there are now.
    """

    url: str
    renew: Callable[[], Awaitable[None]]


@pytest.fixture
def sides() -> Iterator[Sides]:
    """Directories for both sides, which the users that servers run as can get to."""
    root = Path(tempfile.mkdtemp(prefix="gateway-tls-"))
    root.chmod(0o711)
    try:
        found = Sides(server=Files.below(root / "server"), client=Files.below(root / "client"))
        if (account := unprivileged_account()) is not None:
            os.chown(root / "server", account.uid, account.gid)
        yield found
    finally:
        shutil.rmtree(root)


@pytest.fixture
def authority(sides: Sides) -> Authority:
    """The authority that has signed both sides' certificates."""
    authority = Authority("first")
    authority.write(sides.server)
    authority.write(sides.client)
    return authority


def asked_for(name: str, files: Files) -> str:
    """Return a service's parameters of a URL."""
    ca, certificate, key = files.ca, files.certificate, files.key
    match name:
        case "amqp":
            return f"cafile={ca}&certfile={certificate}&keyfile={key}"
        case "postgresql":
            return f"sslmode=verify-full&sslrootcert={ca}&sslcert={certificate}&sslkey={key}"
        case _:
            return f"ssl_ca_certs={ca}&ssl_certfile={certificate}&ssl_keyfile={key}"


@asynccontextmanager
async def secured(name: str, environment: dict[str, str], sides: Sides) -> AsyncIterator[Secured]:
    """Stand before a service with the server's certificates."""
    if name == POSTGRESQL:
        async with _pooled(environment["DATABASE_URL"], sides) as found:
            yield found
        return
    variable, scheme = {
        AMQP: ("AMQP_URL", "amqps"),
        REDIS: ("REDIS_URL", "rediss"),
        S3: ("S3_ENDPOINT_URL", "https"),
    }[name]
    async with TlsFront.before(environment[variable], sides.server) as front:
        url = front.url(environment[variable], scheme)
        if name != S3:
            url = f"{url}?{asked_for(name, sides.client)}"
        yield Secured(url=url, renew=lambda: front.show(sides.server))


@asynccontextmanager
async def _pooled(database_url: str, sides: Sides) -> AsyncIterator[Secured]:
    """Have PgBouncer speak TLS: the test's PostgreSQL is built without."""
    files = sides.server
    tls = {
        "client_tls_sslmode": "verify-full",
        "client_tls_ca_file": files.ca,
        "client_tls_cert_file": files.certificate,
        "client_tls_key_file": files.key,
    }
    async with pooler(database_url, pool_mode="session", **tls) as running:
        url = f"{running.url}?{asked_for(POSTGRESQL, sides.client)}"

        async def renew(running: Pooler = running) -> None:
            running.reload()

        yield Secured(url=url, renew=renew)


def client(
    name: str, secured: Secured, environment: dict[str, str], sides: Sides
) -> AbstractAsyncContextManager[Ask]:
    """Return the worker's client of a service."""
    match name:
        case "amqp":
            return _broker(secured.url, environment["AMQP_PREFIX"])
        case "postgresql":
            return _database(secured.url)
        case "redis":
            return _cache(secured.url)
        case _:
            return _objects(secured.url, environment, sides.client)


@asynccontextmanager
async def _broker(url: str, prefix: str) -> AsyncIterator[Ask]:
    settings = BrokerSettings.model_validate(
        {
            "url": url,
            "prefix": prefix,
            "startup_timeout_seconds": 1.0,
            "reconnect_initial_seconds": 0.02,
            "reconnect_maximum_seconds": 0.1,
        }
    )
    async with Broker.open(settings, worker_id="w") as broker:

        async def ask() -> None:
            if not broker.check().ready:
                raise DependencyError("there is no connection")

        yield ask


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[Ask]:
    connector = Connector(DatabaseSettings.model_validate({"url": url}))

    async def ask() -> None:
        try:
            connection = await connector.connect()
        except (OSError, asyncpg.PostgresError) as error:
            raise DependencyError(str(error)) from error
        connection.terminate()

    yield ask


@asynccontextmanager
async def _cache(url: str) -> AsyncIterator[Ask]:
    async with Cache.open(CacheSettings.model_validate({"url": url})) as cache:
        yield cache.check


@asynccontextmanager
async def _objects(url: str, environment: dict[str, str], files: Files) -> AsyncIterator[Ask]:
    settings = ObjectsSettings.model_validate(
        {
            "endpoint_url": url,
            "bucket": environment["S3_BUCKET"],
            "region": environment["S3_REGION"],
            "access_key_id": environment["S3_ACCESS_KEY_ID"],
            "secret_access_key": environment["S3_SECRET_ACCESS_KEY"],
            "ca_file": files.ca,
            "cert_file": files.certificate,
            "key_file": files.key,
        }
    )
    async with Objects.open(settings) as objects:
        yield objects.check


async def _refused(ask: Ask) -> bool:
    try:
        await ask()
    except DependencyError:
        return True
    return False


async def _answered(ask: Ask) -> bool:
    return not await _refused(ask)


@pytest.mark.parametrize("name", [AMQP, POSTGRESQL, REDIS, S3])
@pytest.mark.usefixtures("authority")
async def test_certificates_may_be_replaced(
    name: str, environment: dict[str, str], sides: Sides
) -> None:
    """By those of another authority: while a side has the old ones nothing goes, then it does."""
    async with (
        secured(name, environment, sides) as service,
        client(name, service, environment, sides) as ask,
    ):
        await eventually(lambda: _answered(ask), timeout_seconds=SECONDS)

        second = Authority("second")
        second.write(sides.server)
        await service.renew()
        await eventually(lambda: _refused(ask), timeout_seconds=SECONDS)

        second.write(sides.client)
        await eventually(lambda: _answered(ask), timeout_seconds=SECONDS)


@pytest.mark.parametrize("name", [AMQP, POSTGRESQL, REDIS, S3])
@pytest.mark.parametrize("fault", ["authority", "host", "client"])
async def test_strangers_are_refused(
    name: str, fault: str, environment: dict[str, str], sides: Sides, authority: Authority
) -> None:
    """A server of another authority, one of another name, and a client of another authority."""
    match fault:
        case "authority":
            Authority("another").write(sides.server, trusts=authority)
        case "host":
            authority.write(sides.server, host=ELSEWHERE)
        case _:
            Authority("another").write(sides.client, trusts=authority)
    with pytest.raises(DependencyError):
        async with (
            secured(name, environment, sides) as service,
            client(name, service, environment, sides) as ask,
        ):
            await ask()


@pytest.mark.usefixtures("authority")
async def test_a_worker_reaches_all_of_them(
    environment: dict[str, str], sides: Sides, commands: Commands, tmp_path: Path
) -> None:
    """By the variables that operators set."""
    async with (
        secured(AMQP, environment, sides) as amqp,
        secured(POSTGRESQL, environment, sides) as postgresql,
        secured(REDIS, environment, sides) as redis,
        secured(S3, environment, sides) as s3,
    ):
        answer = await commands.run(
            {
                **environment,
                "AMQP_URL": amqp.url,
                "DATABASE_URL": postgresql.url,
                "REDIS_URL": redis.url,
                "S3_ENDPOINT_URL": s3.url,
                "S3_CA_FILE": str(sides.client.ca),
                "S3_CERT_FILE": str(sides.client.certificate),
                "S3_KEY_FILE": str(sides.client.key),
            },
            tmp_path,
            "check",
        )

    assert answer.code == 0, answer.out + answer.err
    assert answer.out.count(" reached") == 4


@pytest.mark.usefixtures("authority")
async def test_keys_of_tokens_come_from_a_private_authority_too(sides: Sides) -> None:
    """If the operator has named it; otherwise nobody is trusted whom the system does not know.

    And through a proxy, where that is the way out.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sides.server.certificate, sides.server.key)
    app = web.Application()
    app.router.add_get("/keys", _publish)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0, ssl_context=context).start()
        url = f"https://{LOOPBACK}:{runner.addresses[0][1]}/keys"
        named = await _read_by_another_process(url, {"SSL_CERT_FILE": str(sides.client.ca)})
        unknown = await _read_by_another_process(url, {})
        async with file_server({}) as proxy:
            way = {"HTTPS_PROXY": f"http://{LOOPBACK}:{proxy.port}"}
            lost = await _read_by_another_process(url, way)
            here = {"SSL_CERT_FILE": str(sides.client.ca), "NO_PROXY": LOOPBACK}
            straight = await _read_by_another_process(url, way | here)
    finally:
        await runner.cleanup()

    assert named == straight == '{"keys": []}'
    assert "ClientConnectorCertificateError" in unknown
    assert "ClientHttpProxyError" in lost, "through the proxy that is set, like other services"
    assert [head.split(" ")[0] for head in proxy.heads] == ["CONNECT"]


async def _publish(_request: web.Request) -> web.Response:
    return web.Response(text='{"keys": []}')


async def _read_by_another_process(url: str, environment: dict[str, str]) -> str:
    """Return what one reads, or its fault; whom it trusts is settled when it is started."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", READ, url),
        env={**base_environment(), **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return out.decode().strip()
