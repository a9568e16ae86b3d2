"""Files that arrive are fetched from WhatsApp, checked, and kept in the store."""

import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import aiohttp
import msgspec
import pytest

from gateway_contracts import ErrorCode, MediaGet, MediaGetData, MediaState
from gateway_worker.commands.handlers import Context
from gateway_worker.commands.handlers.media import get as get_media
from gateway_worker.errors import (
    DependencyError,
    MediaRefusedError,
    MediaUnavailableError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.media import MediaType
from gateway_worker.sandbox.service.fault_rules import (
    Corrupt,
    Cut,
    Drop,
    Effect,
    Error,
    Expire,
    Slow,
    Truncate,
)
from gateway_worker.sessions.changes import Change
from gateway_worker.storage.objects import Keyring
from tests.integration.media.harness import Place, always, create_session, media_settings
from tests.support.eventually import eventually
from tests.support.ports import UnaskedMessages

SMALL = os.urandom(20_011)
LARGE = os.urandom(11 * 1024 * 1024 + 7)


def key_of(plain: bytes, session_id: str = "s") -> str:
    """Return where a file has to be kept."""
    return f"media/{session_id}/{hashlib.sha256(plain).hexdigest()}"


@pytest.mark.parametrize("media_type", MediaType)
async def test_a_file_is_there_when_it_is_told(
    place: Place,
    media_type: MediaType,
) -> None:
    """With its hash, its size, its thumbnail and a URL; the message was told before."""
    settings = media_settings(cdn_url="https://cdn.example/files/", url_seconds=600)
    async with place.desk(settings=settings) as desk:
        reference = place.whatsapp.keep(SMALL, media_type=media_type, thumbnail=b"small")
        media_id = await desk.receive("s", reference)
        media = await desk.until_told(media_id)
        key = key_of(SMALL)

        assert (media.state, media.key, media.size) == (MediaState.READY, key, len(SMALL))
        assert media.sha256 == hashlib.sha256(SMALL).hexdigest()
        assert media.thumbnail_key == f"{key}.jpg"
        assert media.cdn_url == f"https://cdn.example/files/{key}"
        assert media.url_expires_at is not None
        left = media.url_expires_at - datetime.now(UTC)
        assert timedelta(seconds=500) < left <= timedelta(seconds=600)
        assert await desk.object(key) == SMALL
        assert await desk.object(f"{key}.jpg") == b"small"
        assert media.url is not None
        async with aiohttp.ClientSession() as client, client.get(media.url) as answer:
            assert await answer.read() == SMALL
            assert answer.content_type == "image/jpeg"
        assert [row.sequence for row in desk.events] == [1, 2]
        assert desk.counted.fetched == [len(SMALL)]
        await eventually(lambda: desk.arriving.service.waiting == 0)


async def test_a_large_file(place: Place) -> None:
    """In parts, none of which shows before all have been checked."""
    async with place.desk() as desk:
        place.whatsapp.rule(Corrupt(), times=2)
        damaged = await desk.receive("s", place.whatsapp.keep(LARGE))
        assert (await desk.until_told(damaged)).state is MediaState.FAILED
        assert await desk.object(key_of(LARGE)) is None

        good = await desk.receive("s", place.whatsapp.keep(LARGE))

        assert (await desk.until_told(good)).state is MediaState.READY
        assert await desk.object(key_of(LARGE)) == LARGE


@pytest.mark.parametrize(
    ("effect", "times", "code"),
    [
        (Error(code=403), 1, ErrorCode.MEDIA_UNAVAILABLE),
        (Error(code=404), 1, ErrorCode.MEDIA_UNAVAILABLE),
        (Expire(), 1, ErrorCode.MEDIA_UNAVAILABLE),
        (Corrupt(), 2, ErrorCode.MEDIA_REFUSED),
        (Truncate(keep_bytes=1_000), 2, ErrorCode.MEDIA_REFUSED),
        (Truncate(keep_bytes=3), 2, ErrorCode.MEDIA_REFUSED),
    ],
    ids=["403", "404", "410", "flipped", "truncated", "too short"],
)
async def test_what_cannot_be_had(
    place: Place,
    effect: Effect,
    times: int,
    code: ErrorCode,
) -> None:
    """It is told as failed, and that it will not come; of what is damaged after another try."""
    async with place.desk() as desk:
        reference = place.whatsapp.keep(SMALL)
        place.whatsapp.rule(effect, times=times)
        media = await desk.until_told(await desk.receive("s", reference))

        assert media.state is MediaState.FAILED
        assert media.error is not None
        assert (media.error.code, media.error.recoverable) == (code, False)
        assert desk.counted.failed == [code]
        assert await desk.object(key_of(SMALL)) is None
        await eventually(lambda: desk.arriving.service.waiting == 0)


@pytest.mark.parametrize(
    "change",
    [{"file_sha256": bytes(32)}, {"file_length": 5}, {"media_key": bytes(32)}],
    ids=["hash", "length", "key"],
)
async def test_a_message_that_says_something_else(
    place: Place,
    change: dict[str, object],
) -> None:
    """Nothing is kept, under whatever name."""
    async with place.desk() as desk:
        reference = msgspec.structs.replace(place.whatsapp.keep(SMALL), **change)
        media = await desk.until_told(await desk.receive("s", reference))

        assert media.error is not None
        assert media.error.code is ErrorCode.MEDIA_REFUSED
        assert await place.objects.delete_prefix("media/") == 0


@pytest.mark.parametrize(
    "effects",
    [
        [Drop(), Drop()],
        [Cut(), Cut()],
        [Error(code=503), Error(code=500), Error(code=429)],
        [Slow(bytes_per_second=200_000)],
        [Corrupt()],
        [Truncate(keep_bytes=1_000)],
    ],
    ids=["dropped", "cut", "refused for now", "slow", "damaged", "truncated"],
)
async def test_what_comes_after_all(
    place: Place,
    effects: list[Effect],
) -> None:
    """A connection that breaks is made again, and what was refused for now is asked for again."""
    async with place.desk() as desk:
        reference = place.whatsapp.keep(SMALL)
        for effect in effects:
            place.whatsapp.rule(effect)
        media = await desk.until_told(await desk.receive("s", reference))

        assert media.state is MediaState.READY
        assert await desk.object(key_of(SMALL)) == SMALL


async def test_a_host_that_is_away_for_good(place: Place) -> None:
    """When there is no patience left it is told that the file can be had later, and then it can."""
    async with place.desk(patience_seconds=0.0) as desk:
        reference = place.whatsapp.keep(SMALL)
        place.whatsapp.rule(Error(code=503))
        media_id = await desk.receive("s", reference)
        media = await desk.until_told(media_id)

        assert media.error is not None
        assert (media.error.code, media.error.recoverable) == (ErrorCode.UPSTREAM_TIMEOUT, True)
        got = await desk.arriving.service.get("s", media_id)
        assert (got.state, got.error) == (MediaState.READY, None)
        assert [event.type for event in desk.told()] == [
            "wa.media.failed.v1",
            "wa.media.ready.v1",
        ]


async def test_a_proxy_that_fails(place: Place) -> None:
    """There is no other way: nothing is asked for without it."""
    async with place.desk(
        proxy_of=always("http://127.0.0.1:9"),
        patience_seconds=0.0,
    ) as desk:
        media = await desk.until_told(await desk.receive("s", place.whatsapp.keep(SMALL)))

        assert media.error is not None
        assert media.error.code is ErrorCode.UPSTREAM_TIMEOUT
        assert "proxy" in media.error.detail
        assert place.whatsapp.server.egress_attempts == []


async def test_the_same_file_twice_is_fetched_once(place: Place) -> None:
    """It is one object of the session, and another one of another session."""
    async with place.desk() as desk:
        for session_id in ("s", "s", "t"):
            media_id = await desk.receive(session_id, place.whatsapp.keep(SMALL))
            assert (await desk.until_told(media_id)).key == key_of(SMALL, session_id)

        await eventually(lambda: desk.counted.fetched == [len(SMALL), 0, len(SMALL)])


async def test_lazily(place: Place) -> None:
    """Nothing is fetched until somebody asks; whoever asks again gets another URL."""
    settings = media_settings(download="lazy")
    async with place.desk(settings=settings) as desk:
        media_id = await desk.receive("s", place.whatsapp.keep(SMALL))
        assert desk.counted.fetched == []

        first = await desk.arriving.service.get("s", media_id)
        again = await desk.arriving.service.get("s", media_id)

        assert first.key == again.key == key_of(SMALL)
        assert first.url is not None
        assert desk.counted.fetched == [len(SMALL)]
        assert [event.type for event in desk.told()] == ["wa.media.ready.v1"]


async def test_a_tenants_files_of_a_day_are_bounded(place: Place) -> None:
    """What is over is told with its code, and can be had by whoever asks when there is room."""
    await create_session(place.database, "acme.a")
    async with place.desk(bytes_per_day=len(SMALL)) as desk:
        first = await desk.receive("acme.a", place.whatsapp.keep(SMALL))
        assert (await desk.until_told(first)).state is MediaState.READY
        more = await desk.receive("acme.a", place.whatsapp.keep(b"another one"))
        refused = await desk.until_told(more)
        assert refused.state is MediaState.FAILED
        assert refused.error is not None
        assert refused.error.code is ErrorCode.QUOTA_EXCEEDED
        assert refused.error.recoverable
        with pytest.raises(QuotaExceededError):
            await desk.arriving.service.get("acme.a", more)
        others = await desk.receive("s", place.whatsapp.keep(b"another one"))
        assert (await desk.until_told(others)).state is MediaState.READY
    async with place.desk(bytes_per_day=1_000_000) as desk:
        media = await desk.arriving.service.get("acme.a", more)
        assert media.key == key_of(b"another one", "acme.a")


async def test_pictures_of_people_are_among_what_a_tenant_receives(place: Place) -> None:
    """Each time that one is fetched."""
    await create_session(place.database, "acme.a")
    jpeg = b"\xff\xd8\xff" + SMALL
    async with place.desk(bytes_per_day=len(jpeg) + 1) as desk:
        fetch = partial(desk.arriving.pictures.fetch, url=place.whatsapp.keep_picture(jpeg), of="a")
        for _ in range(2):
            assert (await fetch("acme.a")).media.size == len(jpeg)
        with pytest.raises(QuotaExceededError):
            await fetch("acme.a")
        assert (await fetch("s")).media.size == len(jpeg)


async def test_whoever_asks_has_no_time_for_it(place: Place) -> None:
    """The command ends when its time is up; the file may come all the same."""
    settings = media_settings(download="lazy")
    async with place.desk(settings=settings) as desk:
        place.whatsapp.rule(Slow(bytes_per_second=20_000))
        media_id = await desk.receive("s", place.whatsapp.keep(SMALL))
        command = MediaGet(source="/backends/b", subject="s", data=MediaGetData(media_id=media_id))
        context = Context(
            manager=desk.sessions.manager,
            messages=UnaskedMessages(),
            media=desk.arriving.service,
            ends_at=time.monotonic() + 0.1,
        )

        with pytest.raises(UpstreamTimeoutError, match="in the time"):
            await get_media(context, command)

        assert (await desk.until_told(media_id)).state is MediaState.READY


async def test_what_nobody_can_get(place: Place) -> None:
    """A file that is not known, or WhatsApp's no more, or another one than was said."""
    settings = media_settings(download="lazy")
    async with place.desk(settings=settings) as desk:
        get = desk.arriving.service.get
        with pytest.raises(MediaUnavailableError, match="not known"):
            await get("s", "nothing")
        for effect, error in (
            (Error(code=410), MediaUnavailableError),
            (Corrupt(), MediaRefusedError),
            (Error(code=429, backoff_seconds=7), RateLimitedError),
            (Error(code=500), UpstreamTimeoutError),
        ):
            media_id = await desk.receive("s", place.whatsapp.keep(os.urandom(100)))
            place.whatsapp.rule(effect)
            with pytest.raises(error) as failure:
                await get("s", media_id)
            if isinstance(failure.value, RateLimitedError):
                assert failure.value.retry_after_seconds == 7
        assert desk.told() == []
        await eventually(lambda: desk.arriving.service.waiting == 0)


async def test_off(place: Place) -> None:
    """Nobody fetches anything, whoever asks; once it is on again, it can be had."""
    reference = place.whatsapp.keep(SMALL)
    settings = media_settings(download="off")
    async with place.desk(settings=settings) as desk:
        media_id = await desk.receive("s", reference)
        with pytest.raises(UnsupportedError):
            await desk.arriving.service.get("s", media_id)

    async with place.desk() as desk:
        assert (await desk.arriving.service.get("s", media_id)).state is MediaState.READY


async def test_an_object_that_somebody_has_removed(place: Place) -> None:
    """It is fetched again when it is asked for; that is no news."""
    async with place.desk() as desk:
        media_id = await desk.receive("s", place.whatsapp.keep(SMALL))
        await desk.until_told(media_id)
        await place.objects.delete(key_of(SMALL))

        await desk.arriving.service.get("s", media_id)

        assert await desk.object(key_of(SMALL)) == SMALL
        assert len(desk.told()) == 1


async def test_what_was_left_is_taken_up(place: Place) -> None:
    """By the next life of the worker, with the same key; the file's own is sealed meanwhile."""
    keyring = Keyring({"k": bytes(32)})
    reference = place.whatsapp.keep(SMALL, thumbnail=b"small")
    async with place.desk(seal=keyring, fetches=False) as desk:
        media_id = await desk.receive("s", reference)
        with pytest.raises(DependencyError):
            await desk.arriving.service.get("s", media_id)

    async with place.desk(seal=keyring) as desk:
        media = await desk.until_told(media_id)

        assert media.state is MediaState.READY
        assert await desk.object(f"{key_of(SMALL)}.jpg") == b"small"


async def test_a_worker_that_stops_in_the_middle(place: Place) -> None:
    """It tells nothing and leaves nothing; the next one begins anew."""
    reference = place.whatsapp.keep(LARGE)
    place.whatsapp.rule(Slow(bytes_per_second=30_000_000))
    async with place.desk() as desk:
        media_id = await desk.receive("s", reference)
        await eventually(lambda: desk.arriving.service.running == 1)
    assert desk.told() == []
    assert await place.objects.delete_prefix("media/") == 0

    async with place.desk() as desk:
        assert (await desk.until_told(media_id)).state is MediaState.READY


async def test_a_session_that_goes_meanwhile(place: Place) -> None:
    """Whoever has it then fetches the file; who had it tells nothing of it any more."""
    place.whatsapp.rule(Slow(bytes_per_second=20_000))
    async with place.desk() as desk:
        media_id = await desk.receive("s", place.whatsapp.keep(SMALL))
        await eventually(lambda: desk.arriving.service.running == 1)
        async with place.desk() as successor:
            media = await successor.until_told(media_id)
            await eventually(lambda: desk.arriving.service.waiting == 0)

        assert media.state is MediaState.READY
        assert desk.told() == []


async def test_a_session_that_is_deleted(place: Place) -> None:
    """Its files go, and so does what is just coming; those of others stay."""
    async with place.desk() as desk:
        for session_id in ("s", "t"):
            await desk.until_told(await desk.receive(session_id, place.whatsapp.keep(SMALL)))
        place.whatsapp.rule(Slow(bytes_per_second=1_000))
        media_id = await desk.receive("s", place.whatsapp.keep(os.urandom(50_000)))
        await eventually(lambda: desk.arriving.service.running == 1)
        session = desk.sessions.manager.registry.held_session("s")
        assert session is not None

        await session._traces.remove("s")
        desk.arriving.service.arrived("s", media_id)
        desk.arriving.service.look_again()
        with pytest.raises(DependencyError):
            await desk.arriving.service.get("s", media_id)

        await eventually(lambda: desk.arriving.service.waiting == 0)
        assert await desk.object(key_of(SMALL)) is None
        assert await desk.object(key_of(SMALL, "t")) == SMALL
        assert await place.objects.delete_prefix("media/s/") == 0

        place.whatsapp.service.faults.remove("slow")
        await session.record(Change(session_id="s", epoch=session.epoch, delete=True))
        desk.sessions.manager.departures.forget(session)
        await create_session(place.database, "s")
        await desk.sessions.manager.find("s")
        namesakes = await desk.receive("s", place.whatsapp.keep(SMALL))
        assert (await desk.until_told(namesakes)).state is MediaState.READY


async def test_what_is_old_goes(place: Place) -> None:
    """Row and object, and with them what `media.get` could find."""
    settings = media_settings(retention_days=1e-9)
    async with place.desk(settings=settings) as desk:
        media_id = await desk.receive("s", place.whatsapp.keep(SMALL, thumbnail=b"small"))
        await desk.until_told(media_id)

        assert await desk.arriving.retention.prune(10) == 1

        assert await desk.arriving.retention.prune(10) == 0
        assert await place.objects.delete_prefix("media/") == 0
        with pytest.raises(MediaUnavailableError):
            await desk.arriving.service.get("s", media_id)


async def test_sessions_share_what_is_fetched_at_a_time(place: Place) -> None:
    """One whose files are slow does not hold up another one's."""
    settings = media_settings(parallel=4)
    async with place.desk(settings=settings) as desk:
        place.whatsapp.rule(Slow(bytes_per_second=2_000), times=8)
        slow = [await desk.receive("s", place.whatsapp.keep(os.urandom(9_000))) for _ in range(8)]
        await eventually(lambda: desk.arriving.service.running == 3)
        place.whatsapp.service.faults.remove("slow")
        quick = await desk.receive("t", place.whatsapp.keep(SMALL))

        await desk.until_told(quick)

        assert not [event for event in desk.told() if event.data.media.media_id in slow]
