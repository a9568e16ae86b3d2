"""Large objects, in the real store."""

import asyncio
import hashlib
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from gateway_worker.devkit.services import ObjectStore
from gateway_worker.errors import DependencyError
from gateway_worker.storage.objects import Bucket, Objects, ObjectsSettings, Streams
from gateway_worker.storage.objects.streams import PART_BYTES, MissingObjectError
from tests.support.eventually import eventually
from tests.support.proxy import Direction, TcpProxy

MIB = 2**20
BYTES = "application/octet-stream"


@pytest.fixture
async def streams(objects: Objects) -> AsyncIterator[Streams]:
    """Return the large objects of this test."""
    async with Streams.open(objects) as streams:
        yield streams


async def pieces(size: int, *, of: int = 100_000) -> AsyncIterator[bytes]:
    """Yield so many bytes, none of them like its neighbours in another part."""
    sent = 0
    while sent < size:
        length = min(of, size - sent)
        yield sent.to_bytes(8, "big").ljust(length, b".")[:length]
        sent += length


async def hashed(chunks: AsyncIterator[bytes]) -> tuple[int, str]:
    """Return size and hash of what comes."""
    digest, size = hashlib.sha256(), 0
    async for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


async def half_written(objects: Objects) -> list[str]:
    """Return the keys of what is begun and not completed, below the test's prefix."""
    answer = await objects.call(
        lambda client: client.list_multipart_uploads(Bucket=objects.bucket, Prefix=objects.prefix)
    )
    return [entry["Key"].removeprefix(objects.prefix) for entry in answer.get("Uploads", ())]


@pytest.mark.parametrize(
    ("size", "of"),
    [
        (0, 1),
        (1, 1),
        (PART_BYTES - 1, 100_000),
        (PART_BYTES, 100_000),
        (PART_BYTES + 1, 100_000),
        (2 * PART_BYTES, PART_BYTES),
        (12 * MIB, 7 * MIB),
    ],
)
async def test_what_is_written_comes_back(streams: Streams, size: int, of: int) -> None:
    """Of any size and in pieces of any size, with what it is."""
    assert await streams.write("film", pieces(size, of=of), content_type="video/mp4") == size
    assert await hashed(streams.read("film")) == await hashed(pieces(size, of=of))
    head = await streams.head("film")
    assert head is not None
    assert (head.size_bytes, head.content_type) == (size, "video/mp4")
    assert abs(datetime.now(UTC) - head.modified_at) < timedelta(minutes=5)


async def test_what_is_not_there_is_told(streams: Streams) -> None:
    """Before anything is read of it."""
    assert await streams.head("nothing") is None
    with pytest.raises(MissingObjectError):
        await hashed(streams.read("nothing"))
    assert await streams.delete_prefix("nothing/") == 0


@pytest.mark.parametrize("size", [1000, 12 * MIB])
async def test_what_ends_early_is_not_stored(objects: Objects, streams: Streams, size: int) -> None:
    """The error comes out as it is, no part stays, and what was there before is still there."""

    async def torn() -> AsyncIterator[bytes]:
        async for piece in pieces(size):
            yield piece
        raise ArithmeticError("the hash does not match")

    await streams.write("film", pieces(3), content_type=BYTES)
    with pytest.raises(ArithmeticError):
        await streams.write("film", torn(), content_type=BYTES)
    assert await half_written(objects) == []
    assert await hashed(streams.read("film")) == await hashed(pieces(3))


async def test_what_is_given_up_leaves_nothing(objects: Objects, streams: Streams) -> None:
    """Its task is cancelled while the next piece is awaited."""
    came = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for piece in pieces(12 * MIB):
            yield piece
        came.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(streams.write("film", endless(), content_type=BYTES))
    await came.wait()
    assert await half_written(objects) == ["film"]
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await half_written(objects) == []
    assert await streams.head("film") is None


async def test_what_cannot_be_written_leaves_nothing_once_the_store_is_back(
    settings: ObjectsSettings, objects: Objects, s3: ObjectStore
) -> None:
    """What is left while it is unavailable goes with the rest of its prefix."""
    async with TcpProxy.to(s3.endpoint_url) as proxy:
        changed = ObjectsSettings.model_validate(
            settings.model_dump()
            | {
                "endpoint_url": proxy.url(str(settings.endpoint_url)),
                "connect_timeout_seconds": 0.3,
                "read_timeout_seconds": 0.3,
                "operation_timeout_seconds": 2.0,
            }
        )

        async def unlucky() -> AsyncIterator[bytes]:
            async for piece in pieces(PART_BYTES):
                yield piece
            await eventually(lambda: half_written(objects), reason="the first part is under way")
            await proxy.refuse()
            await proxy.cut()
            async for piece in pieces(PART_BYTES):
                yield piece

        async with Objects.open(changed) as cut, Streams.open(cut) as streams:
            with pytest.raises(DependencyError):
                await streams.write("s1/film", unlucky(), content_type=BYTES)
            assert await half_written(objects) == ["s1/film"]
            await proxy.accept()

            async def removed() -> bool:
                try:
                    return await streams.delete_prefix("s1/") == 0
                except DependencyError:
                    return False

            await eventually(removed, reason="the store is used again")
    assert await half_written(objects) == []


async def test_what_is_cut_while_it_is_read_is_told(
    settings: ObjectsSettings, streams: Streams, s3: ObjectStore
) -> None:
    """Nobody takes the half for the whole."""
    await streams.write("film", pieces(6 * MIB), content_type=BYTES)
    async with TcpProxy.to(s3.endpoint_url) as proxy:
        url = proxy.url(str(settings.endpoint_url))
        through = settings.model_copy(update={"endpoint_url": url})
        async with Objects.open(through) as cut, Streams.open(cut) as torn:
            proxy.cut_after(2 * MIB, Direction.TO_CLIENT)
            with pytest.raises(DependencyError) as caught:
                await hashed(torn.read("film"))
    assert not isinstance(caught.value, MissingObjectError)


async def test_reading_can_end_early(streams: Streams) -> None:
    """Whoever has seen enough leaves."""
    await streams.write("film", pieces(6 * MIB), content_type=BYTES)
    async with aclosing(streams.read("film")) as chunks:
        first = await anext(chunks)
    assert first.startswith(b"\0" * 8)
    assert await streams.head("film") is not None


async def test_little_of_it_is_in_memory(streams: Streams) -> None:
    """However large it is: the part that is being written, and what the way to the store holds."""
    size = 48 * MIB
    await streams.write("film", pieces(PART_BYTES + 1), content_type=BYTES)
    tracemalloc.start()
    try:
        await streams.write("film", pieces(size), content_type=BYTES)
        _, written = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert await hashed(streams.read("film")) == await hashed(pieces(size))
        _, read = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written < 3 * PART_BYTES
    assert read < 2 * MIB


async def test_a_session_goes_with_all_of_its_objects(objects: Objects, streams: Streams) -> None:
    """And with no other's."""
    for key in ("media/s1/a", "media/s1/b", "media/s10/a", "media/s1"):
        await streams.write(key, pieces(1), content_type=BYTES)
    assert await streams.delete_prefix("media/s1/") == 2
    left = await Bucket(objects=objects).find("media/")
    assert [info.key for info in left] == ["media/s1", "media/s10/a"]


async def test_what_is_old_goes_alone(objects: Objects, streams: Streams) -> None:
    """By the store's clock; also what somebody has begun and never completed."""
    await streams.write("uploads/a", pieces(1), content_type=BYTES)
    await objects.call(
        lambda client: client.create_multipart_upload(
            Bucket=objects.bucket, Key=f"{objects.prefix}uploads/b"
        )
    )
    now = datetime.now(UTC)
    assert await streams.delete_prefix("uploads/", before=now - timedelta(hours=1)) == 0
    assert await half_written(objects) == ["uploads/b"]
    assert await streams.delete_prefix("uploads/", before=now + timedelta(hours=1)) == 1
    assert await half_written(objects) == []


# What others do with the URLs.


def put(url: str, data: bytes, headers: Mapping[str, str]) -> int:
    """Return the status of what anybody writes to a URL."""
    request = urllib.request.Request(url, data=data, headers=dict(headers), method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def test_a_url_lets_anybody_write_one_object(streams: Streams) -> None:
    """As often as they like, without further credentials."""
    put_url = await streams.presign_put(
        "uploads/a b", content_type="image/jpeg", size_bytes=5, valid_seconds=60
    )
    for data in (b"first", b"other"):
        assert await asyncio.to_thread(put, put_url.url, data, put_url.headers) == 200
    head = await streams.head("uploads/a b")
    assert head is not None
    assert (head.size_bytes, head.content_type) == (5, "image/jpeg")
    assert put_url.url not in repr(put_url)


async def test_a_url_is_bound_to_type_size_and_hash(streams: Streams) -> None:
    """What is another file than was said is not taken."""
    digest = hashlib.sha256(b"right").hexdigest()
    put_url = await streams.presign_put(
        "uploads/a", content_type="image/jpeg", size_bytes=5, valid_seconds=60, sha256=digest
    )
    headers = dict(put_url.headers)
    assert await asyncio.to_thread(put, put_url.url, b"longer", headers) in {400, 403}
    assert await asyncio.to_thread(put, put_url.url, b"wrong", headers) in {400, 403}
    other = headers | {"Content-Type": "text/html"}
    assert await asyncio.to_thread(put, put_url.url, b"right", other) == 403
    assert await streams.head("uploads/a") is None
    assert await asyncio.to_thread(put, put_url.url, b"right", headers) == 200


async def test_a_url_lets_anybody_read_one_object_under_a_name(streams: Streams) -> None:
    """The browser keeps it under the name that it was sent with."""
    await streams.write("media/s1/a", pieces(9), content_type=BYTES)
    url = await streams.presign_get("media/s1/a", valid_seconds=60, file_name="Ré;sumé.pdf")

    def get() -> tuple[bytes, str]:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read(), answer.headers["Content-Disposition"]

    data, disposition = await asyncio.to_thread(get)
    assert (len(data), disposition) == (9, "attachment; filename*=UTF-8''R%C3%A9%3Bsum%C3%A9.pdf")
