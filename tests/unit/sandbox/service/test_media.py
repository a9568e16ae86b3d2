"""Uploaded files: kept for a while and up to a size, found by signed paths, spoiled by rules."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.service.errors import MediaRefusedError
from gateway_worker.sandbox.service.fault_rules import (
    Corrupt,
    Delay,
    Effect,
    Error,
    Expire,
    Match,
    Point,
    Rule,
    Slow,
    Truncate,
    Who,
)
from gateway_worker.sandbox.service.media.store import MediaStore
from tests.unit.sandbox.service.conftest import ANN, BOB, Fixture

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.media.store import StoredMedia

DATA = bytes(range(256)) * 4


@pytest.fixture
def ann(world: Fixture) -> DeviceRecord:
    """Return Ann's phone, who uploads."""
    return world.record(world.lid(ANN))


def put(store: MediaStore, ann: DeviceRecord, data: bytes = DATA) -> StoredMedia:
    """Upload a picture."""
    upload = store.begin()
    upload.write(data)
    return store.keep(upload, media_type="image", uploader=ann)


def status_of(store: MediaStore, path: str) -> int:
    """Return with which status a download is refused; 200 is not refused."""
    try:
        store.find(path)
    except MediaRefusedError as error:
        return error.status
    return 200


def a_store(total_bytes: int = 1 << 20, lifetime_seconds: float = 60) -> MediaStore:
    return MediaStore(total_bytes=total_bytes, lifetime_seconds=lifetime_seconds)


def test_the_same_bytes_are_one_file(ann: DeviceRecord) -> None:
    """Its place follows from them, whoever uploads; what is read is what was written."""
    store = a_store()
    first, second = put(store, ann), put(store, ann)

    assert (first.place, first.sha256) == (second.place, hashlib.sha256(DATA).digest())
    assert (len(store), store.held_bytes) == (1, len(DATA))
    found = store.find(f"{store.direct_path(second)}&hash=x&mms-type=image")
    assert b"".join(found.body.pieces()) == DATA
    assert b"".join(found.body.pieces(3, 7)) == DATA[3:7]


def test_a_path_is_signed(ann: DeviceRecord) -> None:
    """A changed one is refused, an invented one unknown, one of a removed file gone."""
    store = a_store()
    stored = put(store, ann)
    path = store.direct_path(stored)

    assert status_of(store, path) == 200
    assert status_of(store, stored.place) == 403
    assert status_of(store, path.replace("oe=", "oe=F")) == 403
    assert status_of(store, "/v/t62.7118-24/1_1_n.enc?oh=x&oe=1") == 404
    assert store.drop(stored.sha256)
    assert not store.drop(stored.sha256)
    assert status_of(store, path) == 410
    assert not stored.body.path.exists()


def test_a_file_has_its_time(ann: DeviceRecord) -> None:
    """Afterwards it is gone, and its bytes with the next upload."""
    store = a_store(lifetime_seconds=1e-6)
    old = put(store, ann)
    path = store.direct_path(old)
    assert status_of(store, path) == 410

    put(store, ann, b"new")

    assert not old.body.path.exists()
    assert status_of(store, path) == 410


def test_the_oldest_files_make_room(ann: DeviceRecord) -> None:
    """No more is held than the total allows."""
    store = a_store(total_bytes=2 * len(DATA))
    paths = [store.direct_path(put(store, ann, bytes([n]) + DATA[1:])) for n in range(4)]

    assert [status_of(store, path) for path in paths] == [410, 410, 200, 200]
    assert store.held_bytes == 2 * len(DATA)


def test_an_upload_that_is_given_up_leaves_nothing(ann: DeviceRecord) -> None:
    """Neither a file nor an entry."""
    store = a_store()
    upload = store.begin()
    upload.write(DATA)
    upload.discard()

    assert not upload.path.exists()
    assert len(store) == 0
    assert put(store, ann).body.path != upload.path


def test_a_token_is_its_devices(world: Fixture, ann: DeviceRecord) -> None:
    """Nobody can make one, and an unlinked device's is good no more."""
    tokens = world.service.media.tokens
    token = tokens.issue(ann)
    assert tokens.holder(token) is ann

    for wrong in ("", "!", token[:-8] + "AAAAAAA=", tokens.issue(ann)[4:]):
        with pytest.raises(MediaRefusedError) as refused:
            tokens.holder(wrong)
        assert refused.value.status == 401

    companion = world.record(world.companion(ANN).jid)
    token = tokens.issue(companion)
    assert tokens.holder(token) is companion
    world.service.linking.unlink(companion.lid)
    with pytest.raises(MediaRefusedError):
        tokens.holder(token)


def rule(point: Point, effect: Effect, **match: str) -> Rule:
    """Return a rule about Ann's phone."""
    who = Who(number=ANN.user, device=0)
    return Rule(id=f"{effect.kind}", point=point, who=who, match=Match(attrs=match), effect=effect)


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (Truncate(), DATA[: len(DATA) // 2]),
        (Truncate(keep_bytes=10), DATA[:10]),
        (Truncate(keep_bytes=1 << 20), DATA),
        (Corrupt(), DATA[:512] + b"\1" + DATA[513:]),
    ],
)
@pytest.mark.parametrize("point", [Point.MEDIA_PUT, Point.MEDIA_GET])
def test_bytes_are_spoiled(
    world: Fixture, ann: DeviceRecord, point: Point, effect: Effect, expected: bytes
) -> None:
    """When they are uploaded, for good; when they are downloaded, for that download."""
    media = world.service.media
    world.service.faults.add(rule(point, effect).model_copy(update={"times": 1}))
    sha256 = hashlib.sha256(DATA).digest()

    upload = media.store.begin()
    upload.write(DATA)
    fault = media.fault_of_upload(ann, media_type="image", sha256=sha256)
    stored = media.keep(upload, media_type="image", uploader=ann, fault=fault)
    read = [
        b"".join(media.body(stored, media.fault_of_download(stored)).pieces()) for _ in range(2)
    ]

    assert read == [expected, expected if point is Point.MEDIA_PUT else DATA]
    assert stored.sha256 == sha256


def test_a_file_expires_by_a_rule(world: Fixture, ann: DeviceRecord) -> None:
    """For good."""
    media = world.service.media
    stored = put(media.store, ann)
    world.service.faults.add(rule(Point.MEDIA_GET, Expire()))

    with pytest.raises(MediaRefusedError) as refused:
        media.body(stored, media.fault_of_download(stored))

    assert refused.value.status == 410
    assert status_of(media.store, media.store.direct_path(stored)) == 410


def test_a_rule_can_pick_files(world: Fixture, ann: DeviceRecord) -> None:
    """By who has uploaded them, what they are and where; others are spared."""
    media = world.service.media
    stored = put(media.store, ann)
    error = Error(code=503, backoff_seconds=7)
    for wrong in (
        rule(Point.MEDIA_GET, error, type="video"),
        rule(Point.MEDIA_PUT, error),
        rule(Point.MEDIA_GET, error).model_copy(update={"who": Who(number=BOB.user)}),
    ):
        world.service.faults.add(wrong)
        media.fault_of_download(stored).refuse()

    world.service.faults.add(rule(Point.MEDIA_GET, error, type="image", place=stored.place))

    with pytest.raises(MediaRefusedError) as refused:
        media.fault_of_download(stored).refuse()
    assert (refused.value.status, refused.value.retry_after_seconds) == (503, 7)


def test_a_download_can_be_late_and_slow_at_once(world: Fixture, ann: DeviceRecord) -> None:
    """A rule about all devices of an account is about its phone's files, too."""
    media = world.service.media
    stored = put(media.store, ann)
    for effect in (Delay(seconds=2), Slow(bytes_per_second=3)):
        whole = rule(Point.MEDIA_GET, effect).model_copy(update={"who": Who(number=ANN.user)})
        world.service.faults.add(whole)

    fault = media.fault_of_download(stored)

    assert (fault.effect, fault.delay_seconds, fault.bytes_per_second) == (None, 2, 3)
