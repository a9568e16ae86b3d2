"""A session with a proxy of its own: all goes through it, and nothing past it."""

import pytest
from sqlalchemy import text

from gateway_contracts import (
    ErrorCode,
    MediaReady,
    Proxy,
    SessionCreate,
    SessionCreateData,
    SessionGetStatus,
    SessionQr,
    SessionState,
    SessionUpdate,
    SessionUpdateData,
    StatusReason,
)
from gateway_worker.sandbox.phones.media.draft import MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.storage.db import Database, DatabaseSettings
from tests.e2e.harness import Gateway
from tests.support.connect_proxy import ConnectProxy
from tests.support.eventually import eventually
from tests.support.pacing import consistently

WEB, MEDIA = "web.whatsapp.com", "mmg.whatsapp.net"


def given(proxy: ConnectProxy) -> Proxy:
    """Return the setting that leads to a proxy."""
    return Proxy(url=proxy.url, username=proxy.username, password=proxy.password)


async def test_a_session_lives_behind_its_proxy(gateway: Gateway, name: str) -> None:
    """Its connection and its files; when the proxy is dead it waits, until it is set another."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    async with (
        ConnectProxy.open(gateway.sandbox.proxy_url) as first,
        ConnectProxy.open(gateway.sandbox.proxy_url, password="another") as second,
    ):
        data = SessionCreateData(proxy=given(first))
        create = SessionCreate(source=gateway.backend.source, subject=name, data=data)
        info = await gateway.succeed(create)
        assert info.proxy == Proxy(url=first.url)
        qr = await gateway.backend.expect(SessionQr, name)
        await shop.scan(qr.data.code)
        await gateway.until(name, SessionState.CONNECTED)
        await ada.send_media(shop.number, MediaDraft(kind=MediaKind.IMAGE, data=b"x" * 5_000))
        await gateway.backend.expect(MediaReady, name)
        assert {WEB, MEDIA} == set(first.targets)
        assert first.refused == 0

        after = len(gateway.backend.arrivals)
        await first.die()
        lost = await gateway.until(name, SessionState.RECONNECTING, after=after)
        await eventually(lambda: not shop_is_connected(gateway, shop.number))
        await consistently(lambda: not shop_is_connected(gateway, shop.number), seconds=0.5)

        update = SessionUpdate(
            source=gateway.backend.source,
            subject=name,
            data=SessionUpdateData(proxy=given(second)),
        )
        info = await gateway.succeed(update)
        await gateway.until(name, SessionState.CONNECTED, after=after)
        await gateway.send(name, ada.number, "hello")

        assert lost.data.reason in {StatusReason.CONNECTION_LOST, StatusReason.PROXY_UNREACHABLE}
        assert info.proxy == Proxy(url=second.url)
        assert set(second.targets) == {WEB}
        stored = await settings_of(gateway, name)
        assert second.url in stored
        assert second.password not in stored
        assert second.username not in stored.replace(second.url, "")


@pytest.mark.parametrize("url", ["http://10.255.255.1:6379", "http://169.254.169.254:80"])
async def test_a_proxy_that_nobody_may_have(gateway: Gateway, name: str, url: str) -> None:
    """Neither from the start on nor later; the session stays as it was."""
    data = SessionCreateData(proxy=Proxy(url=url))
    create = SessionCreate(source=gateway.backend.source, subject=name, data=data)
    refused = [await gateway.fail(create)]
    await gateway.create(name)
    data_of_update = SessionUpdateData(proxy=Proxy(url=url), labels={"a": "b"})
    update = SessionUpdate(source=gateway.backend.source, subject=name, data=data_of_update)
    refused.append(await gateway.fail(update))
    for failed in refused:
        assert failed.data.error.code is ErrorCode.INVALID_COMMAND
        assert [fault.pointer for fault in failed.data.error.errors] == ["/data/proxy/url"]
    info = await gateway.succeed(SessionGetStatus(source=gateway.backend.source, subject=name))
    assert info.proxy is None
    assert not info.labels


def shop_is_connected(gateway: Gateway, number: str) -> bool:
    """Whether a device of an account is connected to WhatsApp."""
    return any(link.online for link in gateway.sandbox.connections.links(number))


async def settings_of(gateway: Gateway, name: str) -> str:
    """Return what the database has of a session's settings."""
    settings = DatabaseSettings.model_validate({"url": gateway.environment["DATABASE_URL"]})
    async with Database(settings=settings) as database, database.statement("test") as connection:
        query = text("SELECT settings::text FROM sessions WHERE id = :id")
        return str(await connection.scalar(query, {"id": name}))
