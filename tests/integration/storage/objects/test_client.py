"""The start with a store that is well, wrong or away, and outages after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gateway_worker.devkit.services import ObjectStore
from gateway_worker.errors import ConfigurationError, DependencyError
from gateway_worker.storage.objects import Bucket, Objects, ObjectsSettings
from tests.support.eventually import eventually
from tests.support.proxy import Direction, TcpProxy
from tests.support.services import random_name


def changed(settings: ObjectsSettings, **values: object) -> ObjectsSettings:
    """Return settings with other values."""
    return ObjectsSettings.model_validate(settings.model_dump() | values)


@pytest.fixture
async def proxy(s3: ObjectStore) -> AsyncIterator[TcpProxy]:
    """Stand between the worker and the store."""
    async with TcpProxy.to(s3.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def brief(settings: ObjectsSettings, proxy: TcpProxy) -> ObjectsSettings:
    """Return settings that go through the proxy and give up soon."""
    return changed(
        settings,
        endpoint_url=proxy.url(str(settings.endpoint_url)),
        connect_timeout_seconds=0.3,
        read_timeout_seconds=0.3,
        operation_timeout_seconds=0.5,
    )


async def opened(settings: ObjectsSettings) -> None:
    """Open and close."""
    async with Objects.open(settings):
        pass


@asynccontextmanager
async def removed_afterwards(settings: ObjectsSettings) -> AsyncIterator[Objects]:
    """Open a client and delete its bucket in the end."""
    async with Objects.open(settings) as objects:
        yield objects
        await objects.call(lambda client: client.delete_bucket(Bucket=objects.bucket))


async def test_a_missing_bucket_is_made(settings: ObjectsSettings) -> None:
    """A store of one's own is ready without preparation, however often the worker starts."""
    fresh = changed(settings, bucket=random_name())
    async with removed_afterwards(fresh) as objects:
        await objects.check()
        await opened(changed(fresh, create_bucket=False))


async def test_a_bucket_that_vanished_is_made_again(settings: ObjectsSettings) -> None:
    """The first to notice fails, the next one finds it."""
    async with removed_afterwards(changed(settings, bucket=random_name())) as objects:
        await objects.call(lambda client: client.delete_bucket(Bucket=objects.bucket))
        await objects.check()
        await Bucket(objects=objects).put("a", b"1", content_type="text/plain")
        await Bucket(objects=objects).delete("a")


async def test_a_missing_bucket_that_may_not_be_made_is_reported(
    settings: ObjectsSettings,
) -> None:
    """With its name and what to do."""
    wrong = changed(settings, bucket="no-such-bucket", create_bucket=False)
    with pytest.raises(
        ConfigurationError, match=r"no bucket 'no-such-bucket' at 127\.0\.0\.1.*create"
    ):
        await opened(wrong)


async def test_wrong_credentials_are_reported(settings: ObjectsSettings) -> None:
    """At the start, without the secret."""
    for name in ("access_key_id", "secret_access_key"):
        with pytest.raises(ConfigurationError, match="check credentials") as caught:
            await opened(changed(settings, **{name: "wrong-value"}))
        assert "wrong-value" not in str(caught.value)


async def test_a_store_that_is_not_there_stops_nothing(
    brief: ObjectsSettings, proxy: TcpProxy
) -> None:
    """The client opens and says so; whoever needs the store is told, until it is there."""
    await proxy.refuse()
    with capture_logs() as logs:
        async with Objects.open(brief) as objects:
            bucket = Bucket(objects=objects)
            with pytest.raises(DependencyError, match=f"127.0.0.1:{proxy.port}/{brief.bucket}"):
                await objects.check()
            with pytest.raises(DependencyError):
                await bucket.put("a", b"1", content_type="text/plain")
            with pytest.raises(DependencyError):
                await bucket.get("a")
            with pytest.raises(DependencyError):
                await bucket.find("")
            with pytest.raises(DependencyError):
                await bucket.delete("a")
            await proxy.accept()
            await eventually(lambda: is_up(objects), reason="the store is used again")
    assert [entry["event"] for entry in logs] == ["objects.unavailable"]


async def test_a_store_that_hangs_is_given_up(brief: ObjectsSettings, proxy: TcpProxy) -> None:
    """Also in the middle of an answer."""
    async with Objects.open(brief) as objects:
        bucket = Bucket(objects=objects)
        await bucket.put("a", b"1" * 1_000_000, content_type="text/plain")
        proxy.pause()
        with pytest.raises(DependencyError):
            await bucket.get("a")
        proxy.resume()
        await eventually(lambda: is_up(objects), reason="the store is used again")
        assert await bucket.get("a") == b"1" * 1_000_000


async def test_an_answer_that_is_cut_off_is_a_failure(
    brief: ObjectsSettings, proxy: TcpProxy
) -> None:
    """Nothing of another library's errors comes through; one before the answer is made good."""
    async with Objects.open(brief) as objects:
        bucket = Bucket(objects=objects)
        await bucket.put("a", b"1" * 3_000_000, content_type="text/plain")
        proxy.cut_after(100_000, Direction.TO_CLIENT)
        with pytest.raises(DependencyError):
            await bucket.get("a")
        proxy.cut_after(0, Direction.TO_CLIENT)
        assert await bucket.get("a") == b"1" * 3_000_000


async def is_up(objects: Objects) -> bool:
    """Say whether the store answers."""
    try:
        await objects.check()
    except DependencyError:
        return False
    return True


@pytest.mark.parametrize(("hours", "side"), [(-2, "ahead of"), (2, "behind"), (0, None)])
async def test_a_clock_that_is_off_is_named_and_keeps_nobody_from_starting(
    settings: ObjectsSettings, unused_tcp_port: int, hours: int, side: str | None
) -> None:
    """A store answers as to a wrong key, and HEAD has no text that says more; it may pass."""

    async def answer(_asked: web.Request) -> web.Response:
        date = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
        return web.Response(status=403, headers={"Date": date})

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    there = changed(settings, endpoint_url=f"http://127.0.0.1:{unused_tcp_port}")
    try:
        if side is None:
            with pytest.raises(ConfigurationError, match="check credentials"):
                await opened(there)
            return
        with capture_logs() as logs:
            async with Objects.open(there) as objects:
                with pytest.raises(DependencyError, match=f"120 minutes {side} the store"):
                    await objects.check()
    finally:
        await runner.cleanup()
    (warning,) = [entry for entry in logs if entry["event"] == "objects.unavailable"]
    assert f"120 minutes {side} the store's" in warning["detail"]
