"""Files on their way to a session's directory: from every source, of every kind, and never left."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_contracts import ErrorCode, MediaSource, ObjectSource, UploadSource, UrlSource
from gateway_worker.commands.deferred import files as module
from gateway_worker.commands.deferred.files import BucketFiles
from gateway_worker.devkit.services import ObjectStore
from gateway_worker.errors import (
    GatewayError,
    MediaRefusedError,
    MediaTooLargeError,
    MediaUnavailableError,
    QuotaExceededError,
)
from gateway_worker.media.fetching.fetcher import Fetcher
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.media.inspection.inspector import Inspector
from gateway_worker.media.objects import UPLOADS
from gateway_worker.media.outgoing import Outgoing, Wanted, sweep
from gateway_worker.media.settings import MediaSettings
from gateway_worker.media.uploads import Uploads
from gateway_worker.storage.objects import Objects, Streams
from tests.support.byte_counts import allowance
from tests.support.clocks import AheadClock
from tests.support.objects import settings_of
from tests.support.samples import picture, sound
from tests.support.web import Answering, answer, file_server, silence

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "shared/file"
SETTINGS = MediaSettings(url_private_hosts="http://127.0.0.1", max_image_bytes=100_000)
BYTES_PER_DAY = 100_000


@dataclass(slots=True, kw_only=True)
class Workshop:
    """What prepares files, and what it has told."""

    outgoing: Outgoing
    uploads: Uploads
    streams: Streams
    clock: AheadClock
    sessions: Path
    steps: list[tuple[str, str, str]]
    shop: str = "shop"

    def wanted(self, source: MediaSource, kind: str = "document") -> Wanted:
        """Return what a message of the session `shop` is to carry."""
        directory = self.sessions / self.shop
        return Wanted(session_id=self.shop, directory=directory, kind=kind, source=source)

    async def failure(self, source: MediaSource, kind: str = "document") -> GatewayError:
        """Return why a file cannot be sent; nothing of it may be left."""
        with pytest.raises(GatewayError) as failed:
            await self.outgoing.prepare(self.wanted(source, kind))
        assert self.left() == []
        return failed.value

    async def put(self, data: bytes, key: str = KEY) -> None:
        """Have an object in the bucket."""

        async def whole() -> AsyncIterator[bytes]:
            yield data

        await self.streams.write(key, whole(), content_type="application/octet-stream")

    def left(self) -> list[Path]:
        """Return what is in the sessions' directories for files."""
        return list(self.sessions.glob("*/outgoing/*"))


@pytest_asyncio.fixture(loop_scope="module")
async def workshop(
    s3: ObjectStore, s3_prefix: str, tmp_path: Path, helpers: Helpers
) -> AsyncIterator[Workshop]:
    """Everything but a session's host."""
    settings = settings_of(s3, prefix=s3_prefix)
    steps: list[tuple[str, str, str]] = []
    clock = AheadClock()
    async with (
        Objects.open(settings) as objects,
        Streams.open(objects) as streams,
        Fetcher(permissions=SETTINGS.permissions()) as fetcher,
    ):
        bounded = allowance(BYTES_PER_DAY, clock=clock)
        uploads = Uploads(
            store=streams, allowance=bounded, clock=clock, url_seconds=60, keep_seconds=3600
        )
        yield Workshop(
            outgoing=Outgoing(
                objects=streams,
                uploads=uploads,
                fetcher=fetcher,
                inspector=Inspector(helpers=helpers),
                settings=SETTINGS,
                allowance=bounded,
                observe=lambda kind, step, outcome, _: steps.append((kind, step, outcome)),
            ),
            uploads=uploads,
            streams=streams,
            clock=clock,
            sessions=tmp_path,
            steps=steps,
        )


@pytest.mark.parametrize("where", ["object", "upload", "url"])
async def test_a_file_comes_from_wherever_it_is(workshop: Workshop, where: str) -> None:
    """As it is, looked at, and gone when it is not needed any more."""
    data = picture(300, 200)
    await workshop.put(data)
    await workshop.put(data, UPLOADS + "0123")
    async with file_server({"/picture": answer(data)}) as server:
        sources: dict[str, MediaSource] = {
            "object": ObjectSource(key=KEY),
            "upload": UploadSource(media_id="0123"),
            "url": UrlSource(url=f"http://127.0.0.1:{server.port}/picture"),
        }
        source = sources[where]
        prepared = await workshop.outgoing.prepare(workshop.wanted(source, "image"))
    file = prepared.file
    assert prepared.key == {"object": KEY, "upload": f"{UPLOADS}0123", "url": None}[where]
    assert file.path.read_bytes() == data
    assert file.path.is_relative_to(workshop.sessions / "shop")
    assert file.path.stat().st_mode & 0o077 == 0
    assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (file.mime_type, file.width, file.height) == ("image/png", 300, 200)
    assert file.thumbnail is not None
    assert workshop.steps == [("image", "fetch", "succeeded"), ("image", "inspect", "succeeded")]

    await workshop.outgoing.discard(workshop.sessions / "shop", prepared)
    await workshop.outgoing.discard(workshop.sessions / "shop", prepared)
    assert workshop.left() == []


async def test_what_has_to_be_converted_is(workshop: Workshop) -> None:
    """And what it was made of goes with it."""
    await workshop.put(sound("mp3", "mp3"))
    prepared = await workshop.outgoing.prepare(workshop.wanted(ObjectSource(key=KEY), "voice"))
    file = prepared.file
    assert prepared.key is None
    assert file.mime_type == "audio/ogg; codecs=opus"
    assert file.waveform is not None
    assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
    await workshop.outgoing.discard(workshop.sessions / "shop", prepared)
    assert workshop.left() == []


async def test_what_is_not_there_is_told(workshop: Workshop) -> None:
    """With a code of its own, from each source."""
    await workshop.put(b"of somebody else")
    async with file_server({}) as server:
        for source in (
            ObjectSource(key="media/nothing"),
            UploadSource(media_id="nothing"),
            UploadSource(media_id=f"../{KEY}"),
            UrlSource(url=f"http://127.0.0.1:{server.port}/nothing"),
        ):
            assert isinstance(await workshop.failure(source), MediaUnavailableError)
    assert {outcome for _, _, outcome in workshop.steps} == {"media_unavailable"}


async def test_what_is_too_large_is_refused(workshop: Workshop) -> None:
    """By the cap of its kind; a document may be as large."""
    data = b"x" * (SETTINGS.max_image_bytes + 1)
    await workshop.put(data)
    assert isinstance(await workshop.failure(ObjectSource(key=KEY), "image"), MediaTooLargeError)
    async with file_server({"/a": answer(data)}) as server:
        url = UrlSource(url=f"http://127.0.0.1:{server.port}/a")
        assert isinstance(await workshop.failure(url, "image"), MediaTooLargeError)
    prepared = await workshop.outgoing.prepare(workshop.wanted(ObjectSource(key=KEY)))
    assert prepared.file.size == len(data)


async def test_what_is_something_else_is_refused(workshop: Workshop) -> None:
    """Whatever it is called."""
    await workshop.put(b"<html>no picture</html>")
    assert isinstance(await workshop.failure(ObjectSource(key=KEY), "image"), MediaRefusedError)
    assert workshop.steps[-1] == ("image", "inspect", "media_refused")


async def test_what_is_given_up_leaves_nothing(workshop: Workshop) -> None:
    """While it is being fetched."""
    asked = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        asked.set()
        await silence(writer)

    answers: dict[str, Answering] = {"/slow": hang}
    async with file_server(answers) as server:
        url = UrlSource(url=f"http://127.0.0.1:{server.port}/slow")
        preparing = asyncio.create_task(workshop.outgoing.prepare(workshop.wanted(url)))
        await asked.wait()
        assert len(workshop.left()) == 1
        preparing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await preparing
    assert workshop.left() == []
    assert workshop.steps == [("document", "fetch", "cancelled")]


async def test_what_is_too_large_has_come_all_the_same(workshop: Workshop) -> None:
    """Nobody has files fetched without an end that say nothing of their size."""
    workshop.shop = "acme.shop"

    async def unannounced(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        writer.write(bytes(SETTINGS.max_image_bytes + 1))
        await writer.drain()

    answers: dict[str, Answering] = {"/large": unannounced}
    async with file_server(answers) as server:
        url = UrlSource(url=f"http://127.0.0.1:{server.port}/large")
        assert isinstance(await workshop.failure(url, "image"), MediaTooLargeError)
    assert isinstance(await workshop.failure(url, "image"), QuotaExceededError)


async def test_what_a_dead_worker_has_left_is_removed(workshop: Workshop) -> None:
    """Of every session; nothing else of theirs."""
    await workshop.put(b"text")
    await workshop.outgoing.prepare(workshop.wanted(ObjectSource(key=KEY)))
    store = workshop.sessions / "shop" / "store.db"
    store.touch()
    assert await asyncio.to_thread(sweep, workshop.sessions) == 1
    assert workshop.left() == []
    assert store.exists()
    assert await asyncio.to_thread(sweep, workshop.sessions) == 0


async def test_an_upload_can_be_sent_for_a_while_and_goes_then(workshop: Workshop) -> None:
    """As often as one likes until then; its id says nothing."""
    offered = await workshop.uploads.offer("shop", mime_type="text/plain", size=4, sha256=None)
    assert offered.url not in repr(offered)
    await workshop.put(b"text", UPLOADS + offered.media_id)
    source = UploadSource(media_id=offered.media_id)
    for _ in range(2):
        prepared = await workshop.outgoing.prepare(workshop.wanted(source))
        assert prepared.file.path.read_bytes() == b"text"
        await workshop.outgoing.discard(workshop.sessions / "shop", prepared)
    assert await workshop.uploads.prune(1) == 0
    assert await workshop.streams.head(UPLOADS + offered.media_id) is not None

    workshop.clock.ahead_seconds = 2 * 3600
    assert isinstance(await workshop.failure(source), MediaUnavailableError)
    await workshop.uploads.prune(1)
    assert await workshop.streams.head(UPLOADS + offered.media_id) is None


async def test_an_upload_is_its_tenants(workshop: Workshop) -> None:
    """Any of the tenant's sessions may send it; of others none finds it, whoever tells them."""
    uploads = workshop.uploads
    offered = await uploads.offer("acme.a", mime_type="text/plain", size=4, sha256=None)
    key = f"uploads/acme/{offered.media_id}"
    await workshop.put(b"text", key)

    assert (await uploads.find("acme.b", offered.media_id)).key == key
    for session_id in ("mallory.a", "shop"):
        with pytest.raises(MediaUnavailableError):
            await uploads.find(session_id, offered.media_id)


async def test_a_tenant_may_send_and_upload_so_much_on_a_day(workshop: Workshop) -> None:
    """Then nothing more until the next day; who has no tenant is not counted."""
    workshop.shop = "acme.shop"
    await workshop.put(bytes(60_000), "shared/acme/file")
    source = ObjectSource(key="shared/acme/file")
    for _ in range(2):
        prepared = await workshop.outgoing.prepare(workshop.wanted(source))
        await workshop.outgoing.discard(workshop.sessions / workshop.shop, prepared)
    assert (await workshop.failure(source)).code is ErrorCode.QUOTA_EXCEEDED
    offer = partial(workshop.uploads.offer, mime_type="text/plain", sha256=None)
    with pytest.raises(QuotaExceededError):
        await offer("acme.other", size=1)

    await offer("mallory.shop", size=100_000)
    with pytest.raises(QuotaExceededError):
        await offer("mallory.shop", size=1)
    await offer("shop", size=200_000)
    await offer("shop", size=1)
    workshop.clock.ahead_seconds = 86_400
    await offer("mallory.shop", size=1)
    await workshop.outgoing.prepare(workshop.wanted(source))


async def test_what_cannot_be_sent_counts_all_the_same(workshop: Workshop) -> None:
    """Or a tenant could have the worker fetch as much as it likes, again and again."""
    workshop.shop = "acme.shop"
    await workshop.put(bytes(60_000), "shared/acme/file")
    source = ObjectSource(key="shared/acme/file")
    codes = [(await workshop.failure(source, "image")).code for _ in range(3)]
    assert codes == [ErrorCode.MEDIA_REFUSED, ErrorCode.MEDIA_REFUSED, ErrorCode.QUOTA_EXCEEDED]


async def test_what_nobody_writes_any_more_goes(workshop: Workshop) -> None:
    """What a worker had begun to write when it died; wherever it was to be."""
    objects = workshop.streams._objects
    await objects.call(
        lambda client: client.create_multipart_upload(
            Bucket=objects.bucket, Key=f"{objects.prefix}media/shop/film"
        )
    )

    async def begun() -> int:
        answer = await objects.call(
            lambda client: client.list_multipart_uploads(
                Bucket=objects.bucket, Prefix=objects.prefix
            )
        )
        return len(answer.get("Uploads", ()))

    await workshop.uploads.prune(1)
    assert await begun() == 1
    workshop.clock.ahead_seconds = 26 * 3600
    await workshop.uploads.prune(1)
    assert await begun() == 0


async def test_files_of_a_session_come_one_after_the_other(workshop: Workshop) -> None:
    """Those of others meanwhile, as many as the worker may have."""
    outgoing, inside = workshop.outgoing, list[str]()
    go_on = asyncio.Event()

    async def use(session: str) -> None:
        async with outgoing.turn(session):
            inside.append(session)
            await go_on.wait()
            inside.remove(session)

    names = ["a", "a", *(f"s{number}" for number in range(SETTINGS.parallel_uploads))]
    tasks = [asyncio.create_task(use(name)) for name in names]
    for _ in range(5):
        await asyncio.sleep(0)
    assert sorted(inside) == sorted(["a", *names[2:-1]])
    go_on.set()
    await asyncio.gather(*tasks)
    assert inside == []


async def test_a_file_of_rows_is_looked_at_before_it_is_read(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it would be stored; what is too large, or is not there, is not read at all."""
    files = BucketFiles(
        objects=workshop.streams, uploads=workshop.uploads, clock=workshop.clock, url_seconds=60
    )
    await workshop.put(b"to\n+15550100002\n")

    async def rows(key: str) -> bytes:
        return b"".join([chunk async for chunk in files.read("shop", ObjectSource(key=key))])

    assert await rows(KEY) == b"to\n+15550100002\n"
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    with pytest.raises(MediaTooLargeError):
        await rows(KEY)
    with pytest.raises(MediaUnavailableError):
        await rows("shared/other")
