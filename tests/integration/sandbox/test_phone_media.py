"""Files between simulated phones and the real library: both ends encrypt, both ends check."""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from gateway_worker.sandbox.phones.media.draft import Flaw, MediaDraft
from gateway_worker.sandbox.phones.media.kinds import FORMS, MediaKind
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.fault_rules import (
    Corrupt,
    Cut,
    Effect,
    Error,
    Expire,
    Point,
    Rule,
    Truncate,
    Who,
)
from gateway_worker.sandbox.settings import SandboxSettings
from tests.support.eventually import eventually
from tests.support.neonize_client import NeonizeClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway_worker.sandbox.phones.phone import Phone

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

PLAYED = 6
DATA = os.urandom(70_001)
SHA256 = hashlib.sha256(DATA).hexdigest()
# What the library offers to download; a video note is none of it.
DOWNLOADABLE = [kind for kind in MediaKind if kind is not MediaKind.VIDEO_NOTE]


class Pair:
    """Anna's phone and the library linked to it; and a Ben for each test."""

    def __init__(self, *, sandbox: Sandbox, anna: Phone, client: NeonizeClient) -> None:
        self.sandbox = sandbox
        self.anna = anna
        self.client = client

    async def receive(self, ben: Phone, draft: MediaDraft) -> dict[str, Any]:
        """Let Ben send Anna a file; returns the library's event."""
        message_id = await ben.send_media(self.anna.number, draft)
        return await self.client.wait_for("message", id=message_id)

    async def download(self, event: dict[str, Any]) -> dict[str, Any]:
        """Let the library download what an event announces."""
        done: dict[str, Any] = await self.client.do("download", content=event["content"])
        return done

    def rule(self, point: Point, effect: Effect, uploader: str) -> None:
        """Add a rule that applies once."""
        who = Who(number=uploader)
        self.sandbox.faults.add(Rule(id="x", point=point, who=who, effect=effect, times=1))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Pair the library once for all tests; nothing tries to leave the machine."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox.open(SandboxSettings()))
        anna = await sandbox.add_phone("4915550001", push_name="Anna")
        store = tmp_path_factory.mktemp("stores") / "anna.db"
        client = await stack.enter_async_context(
            NeonizeClient.start(env=sandbox.worker_env, store=store)
        )
        await anna.scan((await client.wait_for("qr"))["text"])
        await client.wait_for("connected")
        yield Pair(sandbox=sandbox, anna=anna, client=client)
        assert sandbox.egress_attempts == ()


@pytest_asyncio.fixture(loop_scope="module")
async def ben(pair: Pair) -> Phone:
    """Switch a new customer's phone on."""
    return await pair.sandbox.add_phone(push_name="Ben")


@pytest.mark.parametrize("kind", DOWNLOADABLE)
async def test_the_library_opens_a_phones_file(pair: Pair, ben: Phone, kind: MediaKind) -> None:
    """It has passed the library's checks."""
    event = await pair.receive(ben, MediaDraft(kind=kind, data=DATA))

    assert await pair.download(event) == {"size": len(DATA), "sha256": SHA256}


@pytest.mark.parametrize("kind", DOWNLOADABLE)
async def test_a_phone_opens_a_file_of_the_library(pair: Pair, ben: Phone, kind: MediaKind) -> None:
    """And so does the own phone, which gets a copy of the message."""
    form = FORMS[kind]
    data = base64.b64encode(DATA).decode()
    announced = await pair.client.do("upload", type=form.uploaded_as, data=data)
    shown: dict[str, Any] = {MediaKind.VOICE: {"PTT": True}, MediaKind.GIF: {"gifPlayback": True}}
    part = {**announced, "mimetype": form.mime_type, **shown.get(kind, {})}
    content = {form.field: part}

    message_id = await pair.client.do("send_content", to=ben.number, content=content)

    message = await ben.next_message()
    media = await ben.media(message)
    assert (message.message_id, media.kind, media.error) == (message_id, kind, "")
    assert (media.is_checked, media.size, media.sha256) == (True, len(DATA), SHA256)
    assert await ben.media_bytes(message) == DATA
    copy = await pair.anna.own_messages.wait_for(lambda _: True, entry_id=message_id, timeout=30)
    assert (await pair.anna.media(copy)).is_checked
    await ben.play(message)
    await pair.client.wait_for("receipt", ids=[message_id], type=PLAYED)


async def test_what_a_phone_uploads_is_forwarded_without_another_upload(
    pair: Pair, ben: Phone
) -> None:
    """The same keys and path in another message."""
    event = await pair.receive(ben, MediaDraft(kind=MediaKind.IMAGE, data=DATA))
    carl = await pair.sandbox.add_phone()

    await pair.client.do("send_content", to=carl.number, content=event["content"])

    assert await carl.media_bytes(await carl.next_message()) == DATA


@pytest.mark.parametrize(
    ("kind", "details", "flags"),
    [
        (MediaKind.IMAGE, {"view_once": True}, {"IsViewOnce", "IsViewOnceV2"}),
        (MediaKind.VIDEO, {"view_once": True}, {"IsViewOnce", "IsViewOnceV2"}),
        (
            MediaKind.VOICE,
            {"view_once": True},
            {"IsViewOnce", "IsViewOnceV2", "IsViewOnceV2Extension"},
        ),
        (MediaKind.DOCUMENT, {"caption": "read"}, {"IsDocumentWithCaption"}),
        (MediaKind.DOCUMENT, {}, set()),
        (MediaKind.IMAGE, {"ephemeral_seconds": 86400}, {"IsEphemeral"}),
        (
            MediaKind.IMAGE,
            {"ephemeral_seconds": 1, "view_once": True},
            {"IsEphemeral", "IsViewOnce", "IsViewOnceV2"},
        ),
    ],
)
async def test_the_library_knows_the_wrappers(
    pair: Pair, ben: Phone, kind: MediaKind, details: dict[str, Any], flags: set[str]
) -> None:
    """It says which there were, and shows what was in them."""
    event = await pair.receive(ben, MediaDraft(kind=kind, data=DATA, **details))

    assert set(event["flags"]) == flags
    part = event["content"][FORMS[kind].field]
    assert part.get("caption", "") == details.get("caption", "")
    assert (await pair.download(event))["sha256"] == SHA256


async def test_the_library_gets_a_placeholder_of_what_is_for_the_phone(
    pair: Pair, ben: Phone
) -> None:
    """The phone has the file; the library says that there was something, and confirms that."""
    draft = MediaDraft(kind=MediaKind.IMAGE, data=DATA, phone_only=True)
    message_id = await ben.send_media(pair.anna.number, draft)

    await pair.client.wait_for("undecryptable", id=message_id, unavailable=True)
    message = await pair.anna.inbox.wait_for(lambda _: True, entry_id=message_id, timeout=30)
    assert await pair.anna.media_bytes(message) == DATA
    await ben.wait_for_receipt(message_id, ReceiptKind.DELIVERED)
    (link,) = pair.sandbox.connections.links(pair.anna.number)
    await eventually(lambda: pair.sandbox.connections.links(pair.anna.number)[0].pending == 0)
    assert link.online


@pytest.mark.parametrize(
    ("flaw", "problem"),
    [
        (Flaw.FILE_SHA256, "hash of media plaintext doesn't match"),
        (Flaw.FILE_ENC_SHA256, "hash of media ciphertext doesn't match"),
        (Flaw.MEDIA_KEY, "invalid media hmac"),
        (Flaw.DIRECT_PATH, "status code 404"),
        (Flaw.NO_DIRECT_PATH, "no url present"),
    ],
)
async def test_the_library_finds_a_wrong_announcement(
    pair: Pair, ben: Phone, flaw: Flaw, problem: str
) -> None:
    """Each by its own check."""
    event = await pair.receive(ben, MediaDraft(kind=MediaKind.IMAGE, data=DATA, flaw=flaw))

    with pytest.raises(RuntimeError, match=problem):
        await pair.download(event)


@pytest.mark.parametrize(
    ("effect", "problem"),
    [
        (Error(code=403), "status code 403"),
        (Error(code=404), "status code 404"),
        (Error(code=410), "status code 410"),
        (Error(code=500), "status code 500"),
        (Truncate(), "hash of media ciphertext doesn't match"),
        (Truncate(keep_bytes=10), "file too short"),
        (Corrupt(), "hash of media ciphertext doesn't match"),
        (Cut(), "unexpected EOF"),
        (Expire(), "status code 410"),
    ],
    ids=str,
)
async def test_a_download_of_the_library_fails(
    pair: Pair, ben: Phone, effect: Effect, problem: str
) -> None:
    """As the hosts' answer has it; the second one succeeds, if there is still a file."""
    event = await pair.receive(ben, MediaDraft(kind=MediaKind.IMAGE, data=DATA))
    pair.rule(Point.MEDIA_GET, effect, uploader=ben.number)

    with pytest.raises(RuntimeError, match=problem):
        await pair.download(event)

    if not isinstance(effect, Expire):
        assert (await pair.download(event))["sha256"] == SHA256


async def test_a_host_that_is_busy_is_asked_again(pair: Pair, ben: Phone) -> None:
    """After as long as it says."""
    event = await pair.receive(ben, MediaDraft(kind=MediaKind.IMAGE, data=DATA))
    busy = Error(code=503, backoff_seconds=0)
    pair.rule(Point.MEDIA_GET, busy, uploader=ben.number)

    assert (await pair.download(event))["sha256"] == SHA256


@pytest.mark.parametrize("code", [401, 403, 413, 429, 500, 503])
async def test_an_upload_of_the_library_fails(pair: Pair, code: int) -> None:
    """It does not try again by itself."""
    data = base64.b64encode(DATA).decode()
    pair.rule(Point.MEDIA_PUT, Error(code=code), uploader=pair.anna.number)

    with pytest.raises(RuntimeError, match=f"upload failed with status code {code}"):
        await pair.client.do("upload", type="image", data=data)

    assert (await pair.client.do("upload", type="image", data=data))["fileLength"] == "70001"
