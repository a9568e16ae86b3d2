"""What stands between the worker and its store answers for it: that is no word of any object's."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs
from yarl import URL

from gateway_worker.errors import DependencyError
from gateway_worker.storage.objects import Bucket, Objects, ObjectsSettings, Streams, rotate
from gateway_worker.storage.objects.store import DamagedObjectError, NotRemovedError
from gateway_worker.storage.objects.streams import MissingObjectError
from tests.integration.storage.objects.support import keyring, made, make_store, stored_rows
from tests.support.copies import FLEET, MemoryRegister

TEXT = "text/plain"
PAGE = "<html><body>We are back in a moment.</body></html>"
_OF_THE_WAY = frozenset({"connection", "content-length", "expect", "transfer-encoding"})

Wanted = Callable[[web.Request], bool]


class Front:
    """A proxy before the store that answers some of what is asked itself.

    Attributes:
        takes: Which requests it answers.
        status: With what.
        body: Likewise.
    """

    def __init__(self, target: str) -> None:
        self._target = target.rstrip("/")
        self.takes: Wanted = lambda _asked: False
        self.status = 200
        self.body = PAGE

    async def answer(self, asked: web.Request) -> web.Response:
        """Answer, or hand it on and back as it is."""
        if self.takes(asked):
            return web.Response(status=self.status, text=self.body, content_type="text/html")
        url = URL(f"{self._target}{asked.raw_path}", encoded=True)
        kept = {name: value for name, value in asked.headers.items() if _is_of_message(name)}
        data = await asked.read()
        async with (
            aiohttp.ClientSession(auto_decompress=False) as client,
            client.request(asked.method, url, data=data or None, headers=kept) as found,
        ):
            headers = {name: value for name, value in found.headers.items() if _is_of_message(name)}
            if asked.method == "HEAD" and "Content-Length" in found.headers:
                headers["Content-Length"] = found.headers["Content-Length"]
            return web.Response(status=found.status, body=await found.read(), headers=headers)


def _is_of_message(name: str) -> bool:
    return name.lower() not in _OF_THE_WAY


@asynccontextmanager
async def in_front_of(settings: ObjectsSettings, port: int) -> AsyncIterator[tuple[Front, Objects]]:
    """Have a client that reaches the store through a front."""
    front = Front(str(settings.endpoint_url))
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{any:.*}", front.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    through = settings.model_copy(update={"endpoint_url": f"http://127.0.0.1:{port}"})
    try:
        async with Objects.open(through) as objects:
            yield front, objects
    finally:
        await runner.cleanup()


@pytest.fixture
async def front_and_objects(
    settings: ObjectsSettings, unused_tcp_port: int
) -> AsyncIterator[tuple[Front, Objects]]:
    """Return what stands before the store, and a client behind it."""
    async with in_front_of(settings, unused_tcp_port) as both:
        yield both


@pytest.fixture
def front(front_and_objects: tuple[Front, Objects]) -> Front:
    """Return what stands before the store."""
    return front_and_objects[0]


@pytest.fixture
def behind(front_and_objects: tuple[Front, Objects]) -> Bucket:
    """Return the bucket as it is seen through the front."""
    return Bucket(objects=front_and_objects[1])


@pytest.fixture
async def streams(front_and_objects: tuple[Front, Objects]) -> AsyncIterator[Streams]:
    """Return large objects as they are seen through the front."""
    async with Streams.open(front_and_objects[1]) as streams:
        yield streams


async def whole(streams: Streams, key: str, *, size_bytes: int | None = None) -> bytes:
    """Return an object."""
    return b"".join([piece async for piece in streams.read(key, size_bytes=size_bytes)])


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Yield one piece."""
    yield data


def everything(_asked: web.Request) -> bool:
    """Say yes."""
    return True


def reads(asked: web.Request) -> bool:
    """Say whether something is read, a listing too."""
    return asked.method in {"GET", "HEAD"}


def removals(asked: web.Request) -> bool:
    """Say whether something is removed."""
    return asked.method == "DELETE" or "delete" in asked.query


def one_object(asked: web.Request) -> bool:
    """Say whether one object is asked about, and no listing."""
    return reads(asked) and "list-type" not in asked.query


@pytest.mark.parametrize("body", [PAGE, "", "<!doctype html><p>Please log in<br>"])
@pytest.mark.parametrize("status", [200, 404])
async def test_a_page_says_nothing_of_objects(
    front: Front, behind: Bucket, streams: Streams, bucket: Bucket, status: int, body: str
) -> None:
    """Neither that there is one, nor that there is none, nor that it was removed."""
    await bucket.put("a/value", b"value", content_type=TEXT)
    front.takes, front.status, front.body = everything, status, body
    for work in (
        behind.get("a/value"),
        behind.find("a/"),
        behind.delete("a/value"),
        behind.delete_prefix("a/"),
        streams.head("a/value"),
        streams.delete_prefix("a/"),
        whole(streams, "a/value"),
        streams.write("a/other", once(b"x"), content_type=TEXT),
        behind.put_over("a/value", b"x", tag='"1"', content_type=TEXT),
    ):
        with pytest.raises(DependencyError) as caught:
            await work
        assert not isinstance(caught.value, MissingObjectError)
    assert await bucket.get("a/value") == b"value"


async def test_a_removal_that_only_seems_to_be_taken_is_none(
    front: Front, behind: Bucket, bucket: Bucket
) -> None:
    """Whoever is told that files are erased may rely on it."""
    await bucket.put("a/value", b"value", content_type=TEXT)
    front.takes, front.body = removals, ""
    for work in (behind.delete("a/value"), behind.delete_prefix("a/")):
        with pytest.raises(NotRemovedError):
            await work
    await behind.delete("a/nothing")
    front.takes = lambda _asked: False
    await behind.delete("a/value", "a/nothing")
    assert await bucket.get("a/value") is None


async def test_what_is_not_there_by_a_page_and_by_the_store(
    front: Front, behind: Bucket, streams: Streams
) -> None:
    """A listing, which has a form of its own, decides."""
    await behind.put("value", b"value", content_type=TEXT)
    front.takes, front.status = one_object, 404
    for work in (behind.get("value"), streams.head("value"), whole(streams, "value")):
        with pytest.raises(DependencyError) as caught:
            await work
        assert not isinstance(caught.value, MissingObjectError)
    assert await behind.get("nothing") is None
    assert await streams.head("nothing") is None
    with pytest.raises(MissingObjectError):
        await whole(streams, "nothing")
    assert await streams.head("value", is_sure=False) is None


async def test_what_is_of_another_size_is_not_the_object(streams: Streams) -> None:
    """Nobody is sent a page for a document."""
    await streams.write("file", once(b"12345"), content_type=TEXT)
    assert await whole(streams, "file", size_bytes=5) == b"12345"
    with pytest.raises(DamagedObjectError):
        await whole(streams, "file", size_bytes=6)


@pytest.mark.parametrize("status", [200, 404])
async def test_a_page_for_the_newest_copy_does_not_bring_back_the_one_before(
    front: Front,
    behind: Bucket,
    bucket: Bucket,
    register: MemoryRegister,
    tmp_path: Path,
    status: int,
) -> None:
    """That would use keys of the device a second time; the copy is there a moment later."""
    snapshots = made(bucket, register, "k1")
    for row in ("first", "second"):
        make_store(tmp_path / "live", row)
        await snapshots.save("shop", tmp_path / "live", epoch=1)
    known = await register.known("shop")
    assert known is not None
    assert known.newest is not None
    newest = known.newest

    def the_newest(asked: web.Request) -> bool:
        return one_object(asked) and newest in asked.path

    front.takes, front.status = the_newest, status
    elsewhere = made(behind, register, "k1")
    with capture_logs() as logs, pytest.raises(DependencyError):
        await elsewhere.restore("shop", tmp_path / "copy")
    assert [entry["event"] for entry in logs] == []
    assert not (tmp_path / "copy").exists()
    front.takes = lambda _asked: False
    assert await elsewhere.restore("shop", tmp_path / "copy")
    assert stored_rows(tmp_path / "copy") == ["first", "second"]


async def test_a_rotation_that_sees_no_copies_is_not_complete(
    front: Front, behind: Bucket, bucket: Bucket, register: MemoryRegister, tmp_path: Path
) -> None:
    """Whoever threw the old key away then would have none that opens them."""
    make_store(tmp_path / "live", "row")
    await made(bucket, register, "k1").save("shop", tmp_path / "live", epoch=1)
    front.takes, front.body = reads, ""
    with pytest.raises(DependencyError):
        await rotate(behind, keyring("k2", "k1"), fleet=FLEET)
    front.takes = lambda _asked: False
    rotation = await rotate(behind, keyring("k2", "k1"), fleet=FLEET)
    assert (rotation.total, rotation.rotated, rotation.unreadable) == (1, 1, 0)


async def test_what_came_without_its_digest_and_does_not_open_is_no_verdict_on_a_copy(
    objects: Objects, bucket: Bucket, register: MemoryRegister, tmp_path: Path
) -> None:
    """Whatever the worker stores has one: this may be a page that pretends well."""
    snapshots = made(bucket, register, "k1")
    for row in ("first", "second"):
        make_store(tmp_path / "live", row)
        await snapshots.save("shop", tmp_path / "live", epoch=1)
    newest = (await bucket.find("sessions/shop/"))[-1].key
    place = bucket.place_of(newest)
    await objects.call(
        lambda client: client.put_object(Bucket=objects.bucket, Key=place, Body=PAGE.encode())
    )
    with pytest.raises(DependencyError, match="is none"):
        await snapshots.restore("shop", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
