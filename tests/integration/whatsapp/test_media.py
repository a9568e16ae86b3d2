"""Files: uploaded by the real library, shown by phones, and told when phones send them."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from gateway_contracts import (
    AudioContent,
    DocumentContent,
    ImageContent,
    MediaState,
    StickerContent,
    VideoContent,
    VoiceContent,
)
from gateway_worker.errors import (
    InvalidCommandError,
    SessionNotConnectedError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.media import Attachment, MediaType, Uploaded
from gateway_worker.host_protocol.methods.media import UploadMedia
from gateway_worker.host_protocol.methods.messages import SendMessage
from gateway_worker.host_protocol.signals import Ended, Exited
from gateway_worker.sandbox.phones.media.draft import MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.service.fault_rules import (
    Blank,
    Delay,
    Drop,
    Error,
    Point,
    Rule,
    Who,
)
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.arrivals import InboundMessage
from tests.support.calls import send_text
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

DATA = bytes(range(256)) * 41
WAVEFORM = bytes(range(64))
LARGE = 9 << 20
THUMBNAIL = b"\xff\xd8\xff\xe0thumbnail\xff\xd9"


def file_of(account: Account, data: bytes = DATA, *, name: str = "file") -> Path:
    """Put a file into the session's directory."""
    path = account.directory / name
    path.write_bytes(data)
    return path


def applied(stage: Stage, rule_id: str) -> bool:
    """Whether a rule of the sandbox has been applied."""
    rule = stage.sandbox.faults.find(rule_id)
    return rule is not None and rule.applied > 0


async def uploaded(account: Account, media_type: MediaType, data: bytes = DATA) -> Uploaded:
    """Upload a file."""
    path = str(file_of(account, data))
    return await account.host.request(UploadMedia(path=path, media_type=media_type))


async def sent(account: Account, to: Phone, content: dict[str, Any], attachment: Attachment) -> Any:
    """Send a message with a file and return how the phone shows it, with its file."""
    call = SendMessage(to=to.number, content=content, attachment=attachment)
    result = await account.host.request(call)
    message = await to.next_message(timeout=30)
    assert message.message_id == result.message_id
    return message


@pytest.mark.parametrize(
    ("content", "media_type", "measures", "kind"),
    [
        ({"kind": "image", "caption": "look"}, MediaType.IMAGE, {"width": 4}, MediaKind.IMAGE),
        ({"kind": "image", "view_once": True}, MediaType.IMAGE, {"width": 4}, MediaKind.IMAGE),
        ({"kind": "video", "caption": "look"}, MediaType.VIDEO, {"seconds": 3}, MediaKind.VIDEO),
        ({"kind": "video", "gif": True}, MediaType.VIDEO, {"seconds": 3}, MediaKind.GIF),
        ({"kind": "audio"}, MediaType.AUDIO, {"seconds": 3}, MediaKind.AUDIO),
        ({"kind": "voice"}, MediaType.AUDIO, {"waveform": WAVEFORM}, MediaKind.VOICE),
        (
            {"kind": "voice", "view_once": True},
            MediaType.AUDIO,
            {"waveform": WAVEFORM},
            MediaKind.VOICE,
        ),
        (
            {"kind": "document", "file_name": "a.bin"},
            MediaType.DOCUMENT,
            {"thumbnail": THUMBNAIL},
            MediaKind.DOCUMENT,
        ),
        (
            {"kind": "document", "file_name": "a.bin", "caption": "look"},
            MediaType.DOCUMENT,
            {"thumbnail": THUMBNAIL},
            MediaKind.DOCUMENT,
        ),
        ({"kind": "sticker"}, MediaType.IMAGE, {"animated": True}, MediaKind.STICKER),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, dict) else None,
)
async def test_a_phone_opens_what_was_sent(
    stage: Stage,
    shop: Account,
    content: dict[str, Any],
    media_type: MediaType,
    measures: dict[str, Any],
    kind: MediaKind,
) -> None:
    """It fetches the file, decrypts it, finds all hashes right, and shows what it is."""
    ben = await stage.customer()
    place = await uploaded(shop, media_type)
    attachment = Attachment(uploaded=place, mime_type="application/x-test", **measures)

    message = await sent(shop, ben, content, attachment)

    assert await ben.media_bytes(message) == DATA
    media = await ben.media(message)
    assert (media.is_checked, media.error, media.kind) == (True, "", kind)
    assert media.mime_type == "application/x-test"
    assert media.view_once is content.get("view_once", False)
    assert {name: getattr(media, name) for name in measures} == measures
    assert message.text == content.get("caption", "")
    assert place.file_sha256 == hashlib.sha256(DATA).digest()


async def test_the_new_caption_of_a_picture(stage: Stage, shop: Account) -> None:
    """The phone shows it below the picture, of which the file stays as it is."""
    ben = await stage.customer()
    attachment = Attachment(uploaded=await uploaded(shop, MediaType.IMAGE), mime_type="image/png")
    message = await sent(shop, ben, {"kind": "image", "caption": "old"}, attachment)
    own = {"message_id": message.message_id, "from_me": True, "kind": "image"}

    await shop.host.request(
        SendMessage(to=ben.number, content={"kind": "edit", "text": "new", "target": own})
    )

    edit = await ben.next_message(timeout=30)
    assert (edit.kind, edit.text, edit.target_id) == ("edit", "new", message.message_id)


@pytest.mark.parametrize(
    ("draft", "content", "media_type"),
    [
        (MediaDraft(kind=MediaKind.IMAGE, data=DATA, caption="look"), ImageContent, "image"),
        (MediaDraft(kind=MediaKind.IMAGE, data=DATA, view_once=True), ImageContent, "image"),
        (MediaDraft(kind=MediaKind.VIDEO, data=DATA, seconds=3), VideoContent, "video"),
        (MediaDraft(kind=MediaKind.GIF, data=DATA), VideoContent, "video"),
        (MediaDraft(kind=MediaKind.VIDEO_NOTE, data=DATA), VideoContent, "video"),
        (MediaDraft(kind=MediaKind.AUDIO, data=DATA), AudioContent, "audio"),
        (MediaDraft(kind=MediaKind.VOICE, data=DATA, waveform=WAVEFORM), VoiceContent, "audio"),
        (
            MediaDraft(kind=MediaKind.DOCUMENT, data=DATA, file_name="a.bin", caption="look"),
            DocumentContent,
            "document",
        ),
        (MediaDraft(kind=MediaKind.STICKER, data=DATA, animated=True), StickerContent, "image"),
    ],
    ids=lambda one: one.kind if isinstance(one, MediaDraft) else None,
)
async def test_what_a_phone_sends_is_told(
    stage: Stage, draft: MediaDraft, content: type[Any], media_type: str
) -> None:
    """As what it is, and with what it takes to fetch it beside the event."""
    account = await stage.linked()
    ben = await stage.customer()

    message_id = await ben.send_media(account.phone.number, draft)

    told = await account.next(InboundMessage, lambda one: one.message_id == message_id)
    assert isinstance(told.content, content)
    media = told.content.media
    assert (media.state, media.size) == (MediaState.OFF, len(DATA))
    assert media.sha256 == hashlib.sha256(DATA).hexdigest()
    assert getattr(told.content, "caption", None) == (draft.caption or None)
    assert getattr(told.content, "view_once", False) is draft.view_once
    assert getattr(told.content, "gif", False) is (draft.kind is MediaKind.GIF)
    assert getattr(told.content, "video_note", False) is (draft.kind is MediaKind.VIDEO_NOTE)
    assert getattr(told.content, "animated", False) is draft.animated
    assert bytes(media.waveform or ()) == (draft.waveform or b"")
    (reference,) = account.references
    written = await ben.media(message_id)
    assert (reference.media_type, reference.direct_path) == (media_type, written.direct_path)
    assert (reference.media_key, reference.file_length) == (written.media_key, len(DATA))
    await account.stop()


async def test_texts_go_on_beside_an_upload(stage: Stage, shop: Account) -> None:
    """One that a media server holds up holds up no message."""
    ben = await stage.customer()
    rule = Rule(
        id="slow", point=Point.MEDIA_PUT, who=Who(number=shop.phone.number), effect=Delay(seconds=3)
    )
    stage.sandbox.faults.add(rule)
    try:
        upload = asyncio.create_task(uploaded(shop, MediaType.DOCUMENT))
        await eventually(lambda: applied(stage, "slow"))

        for number in range(5):
            await shop.host.request(send_text(ben.number, f"text {number}"))

        assert not upload.done()
        assert (await upload).file_length == len(DATA)
    finally:
        stage.sandbox.faults.remove("slow")


async def test_texts_go_on_beside_a_large_file(stage: Stage, shop: Account) -> None:
    """The library gets room for it, twice in turn, and everything arrives as it is."""
    ben = await stage.customer()
    for number in range(2):
        data = bytes([number]) * LARGE
        upload = asyncio.create_task(uploaded(shop, MediaType.DOCUMENT, data))
        for text in range(5):
            await shop.host.request(send_text(ben.number, f"text {number} {text}"))
            assert (await ben.next_message(timeout=60)).text == f"text {number} {text}"
        content = {"kind": "document", "file_name": "a.bin"}
        attachment = Attachment(uploaded=await upload, mime_type="application/x-test")
        message = await sent(shop, ben, content, attachment)
        assert await ben.media_bytes(message) == data


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Error(code=413), UpstreamRejectedError),
        (Error(code=503), UpstreamTimeoutError),
        (Error(code=403), UpstreamTimeoutError),
        (Drop(), UpstreamTimeoutError),
        (Blank(), UpstreamTimeoutError),
    ],
)
async def test_an_upload_that_is_refused(
    stage: Stage, shop: Account, effect: Error | Drop | Blank, error: type[Exception]
) -> None:
    """It says so, and the next one is none the worse for it."""
    who = Who(number=shop.phone.number)
    stage.sandbox.faults.add(
        Rule(id="refused", point=Point.MEDIA_PUT, who=who, effect=effect, times=1)
    )

    with pytest.raises(error):
        await uploaded(shop, MediaType.DOCUMENT)

    assert (await uploaded(shop, MediaType.DOCUMENT)).file_length == len(DATA)


@pytest.mark.parametrize("name", ["missing", "empty", "link", "."])
async def test_a_file_that_is_none(shop: Account, name: str) -> None:
    """Nothing is uploaded, and the process lives."""
    file_of(shop, b"", name="empty")
    (shop.directory / "link").unlink(missing_ok=True)
    (shop.directory / "link").symlink_to("/etc/passwd")
    call = UploadMedia(path=str(shop.directory / name), media_type=MediaType.IMAGE)

    with pytest.raises(InvalidCommandError):
        await shop.host.request(call)

    assert (await uploaded(shop, MediaType.IMAGE)).file_length == len(DATA)


async def test_a_host_that_ends_while_it_uploads(stage: Stage) -> None:
    """It can be asked again, and nothing is journalled: nobody was told of the file."""
    account = await stage.linked()
    who = Who(number=account.phone.number)
    stage.sandbox.faults.add(
        Rule(id="held", point=Point.MEDIA_PUT, who=who, effect=Delay(seconds=20), times=1)
    )
    upload = asyncio.create_task(uploaded(account, MediaType.IMAGE))
    await eventually(lambda: applied(stage, "held"))

    await account.stop()

    with pytest.raises(SessionNotConnectedError):
        await upload
    await account.resume()
    assert (await uploaded(account, MediaType.IMAGE)).file_length == len(DATA)
    await account.stop()


async def test_a_host_that_keeps_memory_makes_room_for_another(stage: Stage) -> None:
    """In a quiet moment after an upload, and it says why; the next one goes on with the link."""
    account = await stage.linked()
    await account.stop()
    settings = settings_for(stage.sandbox, memory_limit_mebibytes=1, memory_rest_seconds=0.1)
    async with HostProcesses(settings) as processes:
        account.processes = processes
        await account.resume()
        await account.host.request(send_text(account.phone.number, "no upload"))

        await uploaded(account, MediaType.DOCUMENT)

        assert (await account.next(Ended)).reason == "memory_kept"
        await account.next(Exited)
        await account.resume()
        await account.stop()
