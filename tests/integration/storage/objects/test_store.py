"""Values under keys, in the real store."""

import asyncio
import hashlib
import re
import urllib.error
import urllib.request

import pytest

from gateway_worker.storage.objects import Bucket, Objects, ObjectsSettings
from gateway_worker.storage.objects.store import DamagedObjectError, ObjectInfo

TEXT = "text/plain"


async def keys(bucket: Bucket, prefix: str = "") -> list[str]:
    """Return the keys below a prefix."""
    return [info.key for info in await bucket.find(prefix)]


@pytest.mark.parametrize("data", [b"", b"value", bytes(range(256)) * 20_000])
async def test_a_value_comes_back(bucket: Bucket, data: bytes) -> None:
    """Empty, small, and of several megabytes."""
    await bucket.put("a/value", data, content_type=TEXT)
    assert await bucket.get("a/value") == data
    assert await bucket.find("a/") == [ObjectInfo(key="a/value", size_bytes=len(data))]


async def test_what_is_not_there_is_none(bucket: Bucket) -> None:
    """Neither a missing value nor a missing folder is an error."""
    assert await bucket.get("nothing") is None
    assert await bucket.find("nothing/") == []
    assert await bucket.delete_prefix("nothing/") == 0
    await bucket.delete("nothing")
    await bucket.delete()


async def test_the_last_value_stays(bucket: Bucket) -> None:
    """A plain put overwrites."""
    for data in (b"first", b"second"):
        await bucket.put("value", data, content_type=TEXT)
    assert await bucket.get("value") == b"second"


async def test_a_new_value_does_not_overwrite(bucket: Bucket) -> None:
    """The first one stays, and the second one is told."""
    assert await bucket.put_new("value", b"first", content_type=TEXT)
    assert not await bucket.put_new("value", b"second", content_type=TEXT)
    assert await bucket.get("value") == b"first"
    await bucket.delete("value")
    assert await bucket.put_new("value", b"third", content_type=TEXT)


async def test_only_one_of_many_new_values_is_stored(bucket: Bucket) -> None:
    """Whoever is told to have stored has."""
    values = [bytes([number]) for number in range(4)]
    stored = await asyncio.gather(
        *(bucket.put_new("value", value, content_type=TEXT) for value in values)
    )
    assert [await bucket.get("value")] == [
        value for value, won in zip(values, stored, strict=True) if won
    ]


async def test_a_folder_is_removed_with_everything_in_it_and_nothing_else(bucket: Bucket) -> None:
    """More than one page of a listing and one batch of a removal hold."""
    names = [f"shop/{number:04}" for number in range(1005)]
    limit = asyncio.Semaphore(16)

    async def put(key: str) -> None:
        async with limit:
            await bucket.put(key, b"x", content_type=TEXT)

    await asyncio.gather(*(put(name) for name in [*names, "shop2/0", "shop"]))
    assert await keys(bucket, "shop/") == names
    assert await bucket.delete_prefix("shop/") == 1005
    assert sorted(await keys(bucket)) == ["shop", "shop2/0"]


async def test_keys_stand_below_the_prefix(
    objects: Objects, bucket: Bucket, settings: ObjectsSettings
) -> None:
    """As it is, without anything in between; nothing outside of it is seen."""
    other = settings.model_copy(update={"prefix": f"{settings.prefix}more-"})
    async with Objects.open(other) as others:
        await Bucket(objects=others).put("a", b"1", content_type=TEXT)
        assert await keys(Bucket(objects=others)) == ["a"]
    assert await keys(bucket) == ["more-a"]


async def test_a_value_that_somebody_changed_is_noticed(objects: Objects, bucket: Bucket) -> None:
    """Each value has its digest beside it."""
    digest = hashlib.sha256(b"as it was").hexdigest()
    await objects.call(
        lambda client: client.put_object(
            Bucket=objects.bucket,
            Key=f"{objects.prefix}value",
            Body=b"as it is",
            Metadata={"sha256": digest},
        )
    )
    with pytest.raises(DamagedObjectError):
        await bucket.get("value")


def read(url: str) -> tuple[int, bytes]:
    """Return what anybody gets at a URL."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""


async def test_a_link_lets_anybody_read_one_value(bucket: Bucket) -> None:
    """That one, with the signature, and no other."""
    await bucket.put("a b/ü", b"value", content_type=TEXT)
    await bucket.put("other", b"other", content_type=TEXT)
    link = await bucket.link("a b/ü", valid_seconds=60)
    assert await asyncio.to_thread(read, link) == (200, b"value")
    plain = link.partition("?")[0]
    for wrong in (plain, re.sub(r"/[^/?]+\?", "/other?", link)):
        assert (await asyncio.to_thread(read, wrong))[0] == 403


async def test_a_link_leads_to_the_public_endpoint(settings: ObjectsSettings) -> None:
    """The store may have another name inside than for backends."""
    public = settings.model_copy(update={"public_endpoint_url": "https://media.example.com"})
    async with Objects.open(public) as objects:
        link = await Bucket(objects=objects).link("value", valid_seconds=60)
    start = f"https://media.example.com/{settings.bucket}/{settings.prefix}value?"
    assert link.startswith(start)
