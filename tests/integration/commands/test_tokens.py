"""Commands with tokens at a real broker: those that are not good are refused, and do nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from gateway_contracts import (
    NO_SESSION,
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    SessionGetStatus,
    new_id,
)
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.storage.db import Database
from gateway_worker.tenants.build import Tenants, build_tenants
from gateway_worker.tenants.settings import TenantSettings
from tests.integration.commands.conftest import STOPPED
from tests.integration.commands.support import Station, working
from tests.integration.storage.db.support import opened, session_row, value
from tests.support.eventually import eventually
from tests.unit.tenants.test_tokens import OTHER_RSA, published, signed, wrong

KEYS_PATH = "/keys.json"


class KeyServer:
    """Publishes keys over HTTP, as long as it is there."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked = 0
        self.port = 0

    async def answer(self, _request: web.Request) -> web.Response:
        """Tell the keys."""
        self.asked += 1
        return web.Response(status=503) if self.is_away else web.json_response(published())


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    """A server of keys."""
    server = KeyServer()
    app = web.Application()
    app.router.add_get(KEYS_PATH, server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


def settings_for(server: KeyServer, **other: object) -> TenantSettings:
    """Return how tenants are told apart."""
    return TenantSettings.model_validate(
        {
            "mode": "jwt",
            "jwt_jwks": f"http://127.0.0.1:{server.port}{KEYS_PATH}",
            "jwt_audience": "gateway",
            "jwt_leeway_seconds": 0,
            **other,
        }
    )


@pytest.fixture
def tenants(server: KeyServer) -> Tenants:
    """What tells tenants apart."""
    return build_tenants(settings_for(server))


@pytest.fixture
async def keys(tenants: Tenants) -> AsyncIterator[None]:
    """The service that reads keys, running."""
    service = tenants.keys
    assert service is not None
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    await eventually(lambda: service.are_usable)
    yield
    stop.set()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
async def tenants_database(database_url: str) -> AsyncIterator[Database]:
    """A session of each of two tenants."""
    rows = [session_row(f"{tenant}.support", **STOPPED) for tenant in ("acme", "mallory")]
    async with opened(database_url, *rows) as database:
        yield database


@pytest.fixture
async def guarded(
    tenants_database: Database,
    settings: BrokerSettings,
    backend: Backend,
    tenants: Tenants,
    tmp_path: Path,
) -> AsyncIterator[Station]:
    """A worker that asks for tokens."""
    assert backend.source
    async with working(tenants_database, settings, tmp_path, verifier=tenants.verifier) as station:
        yield station


def status(session_id: str, command_id: str | None = None) -> SessionGetStatus:
    """Return a look-up."""
    return SessionGetStatus(id=command_id or new_id(), source="/backends/x", subject=session_id)


async def refused(
    backend: Backend, command: SessionGetStatus, token: str | None, subject: str = NO_SESSION
) -> None:
    """Publish what is not to be obeyed, and see it refused under a subject."""
    seen = len(backend.arrivals)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    await backend.publish(command, headers=headers)
    outcome = await backend.expect(CommandFailed, subject, after=seen)
    assert outcome.correlationid == command.id
    assert outcome.data.error.code is ErrorCode.UNAUTHORIZED
    assert outcome.data.error.detail is None


async def test_only_what_a_good_token_covers_is_executed(
    guarded: Station,
    backend: Backend,
    keys: None,
    tenants_database: Database,
    settings: BrokerSettings,
) -> None:
    """The same id and the same body with another token are another command."""
    for token in (None, *wrong().values()):
        await refused(backend, status("acme.support"), token)
    for token, subject in (
        (signed(tenant_id="mallory"), f"mallory.{NO_SESSION}"),
        (signed(sessions=["sales"]), f"acme.{NO_SESSION}"),
        (signed(actions=["message.*"]), f"acme.{NO_SESSION}"),
    ):
        await refused(backend, status("acme.support"), token, subject)
    command = status("acme.support")
    mallorys = signed(tenant_id="mallory")
    await refused(backend, command, mallorys, f"mallory.{NO_SESSION}")
    assert await value(tenants_database, "SELECT count(*) FROM commands") == 0

    for mine, token in ((command, signed()), (status("mallory.support", command.id), mallorys)):
        seen = len(backend.arrivals)
        await backend.publish(mine, headers={"authorization": f"bearer {token}"})
        told = await backend.expect(CommandSucceeded, mine.subject, after=seen)
        assert (told.correlationid, told.data.repeated) == (command.id, False)
    await refused(backend, command, mallorys, f"mallory.{NO_SESSION}")
    executed = [outcome for _, outcome in guarded.settled if outcome != "unauthorized"]
    assert executed == ["succeeded", "succeeded"]
    assert await guarded.broker.depth(settings.topology.dead_commands) == 0


async def test_commands_wait_for_keys_that_cannot_be_had(
    tenants_database: Database,
    settings: BrokerSettings,
    backend: Backend,
    server: KeyServer,
    tmp_path: Path,
) -> None:
    """Nothing is executed before they are there, and nothing refused; then all is, in order.

    At the start, when nothing is consumed yet, and later, when commands come in already.
    """
    tenants = build_tenants(settings_for(server, jwt_keep_seconds=1))
    keys, headers = tenants.keys, {"authorization": f"Bearer {signed()}"}
    assert keys is not None

    async def have_lapsed() -> bool:
        await keys.refresh()
        return not keys.are_usable

    async with working(tenants_database, settings, tmp_path, verifier=tenants.verifier) as station:
        for _ in range(2):
            server.is_away = True
            await eventually(have_lapsed)
            assert keys.problem == "the keys' server answers 503"
            seen, settled = len(backend.arrivals), len(station.settled)
            nobodys, unassigned = status("acme.support"), status("acme.none")
            mine = [status("acme.support") for _ in range(5)]
            await backend.publish(nobodys)
            for command in (*mine, unassigned):
                await backend.publish(command, headers=headers)

            assert not station.consumer.is_wanted
            assert station.consumer.in_flight == 0
            assert (len(backend.arrivals), len(station.settled)) == (seen, settled)
            server.is_away = False
            await keys.refresh()
            for command in mine:
                assert isinstance(await backend.outcome(command.id), CommandSucceeded)
            told = [event.correlationid for event in backend.events_of("acme.support")]
            assert told[-5:] == [command.id for command in mine]
            for command, code in (
                (nobodys, ErrorCode.UNAUTHORIZED),
                (unassigned, ErrorCode.SESSION_NOT_FOUND),
            ):
                failed = await backend.outcome(command.id)
                assert isinstance(failed, CommandFailed)
                assert failed.data.error.code is code
        await refused(backend, status("acme.support"), signed(key=OTHER_RSA, kid="next"))
        assert keys._wanted.is_set()


async def test_commands_that_have_waited_for_keys_are_refused(
    tenants_database: Database,
    settings: BrokerSettings,
    backend: Backend,
    server: KeyServer,
    tmp_path: Path,
) -> None:
    """With a bound: nobody waits for ever for an answer; nothing is executed."""
    server.is_away = True
    tenants = build_tenants(settings_for(server, jwt_hold_seconds=0))
    assert tenants.keys is not None
    await tenants.keys.refresh()
    async with working(tenants_database, settings, tmp_path, verifier=tenants.verifier) as station:
        await refused(backend, status("acme.support"), signed())
        assert [outcome for _, outcome in station.settled] == ["unauthorized"]
    assert await value(tenants_database, "SELECT count(*) FROM commands") == 0


async def test_a_missed_key_is_read_soon(
    tenants: Tenants, server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for the next time that they would be read anyway."""
    keys = tenants.keys
    assert keys is not None
    monkeypatch.setattr("gateway_worker.tenants.keys._PAUSE_SECONDS", 0.01)
    stop = asyncio.Event()
    running = asyncio.create_task(keys.run(stop))
    await eventually(lambda: keys.are_usable)
    began, asked = time.monotonic(), server.asked
    keys.want()
    await eventually(lambda: server.asked > asked)
    assert time.monotonic() - began < keys._refresh_seconds
    stop.set()
    await running
