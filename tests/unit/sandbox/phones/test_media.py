"""Files between two phones: every kind, in its wrappers, checked and decrypted."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from gateway_worker.sandbox.phones.errors import (
    InvalidContentError,
    MediaDamagedError,
    MediaUnavailableError,
    NoMediaError,
)
from gateway_worker.sandbox.phones.media.draft import Flaw, MediaDraft
from gateway_worker.sandbox.phones.media.kinds import FORMS, MediaKind
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.service.devices import DeviceRecord
from gateway_worker.sandbox.service.fault_rules import Corrupt, Error, Expire, Point, Rule, Who
from gateway_worker.sandbox.service.mailbox import Mailbox

if TYPE_CHECKING:
    from pathlib import Path

    from gateway_worker.sandbox.service.fault_rules import Effect
    from gateway_worker.sandbox.service.service import Service

Pair = tuple[Phone, Phone]
DATA = b"a file" * 100
LARGE = os.urandom(600_001)


@pytest.mark.parametrize("kind", MediaKind)
@pytest.mark.parametrize("data", [b"", b"x" * 16, DATA, LARGE], ids=len)
async def test_a_file_arrives(phones: Pair, kind: MediaKind, data: bytes) -> None:
    """Of every kind and of odd sizes; a large one shortly after its message."""
    anna, ben = phones

    await anna.send_media(ben.number, MediaDraft(kind=kind, data=data))

    message = await ben.next_message()
    media = await ben.media(message)
    assert (media.kind, media.is_checked, media.error) == (kind, True, "")
    assert (media.size, media.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert media.mime_type == FORMS[kind].mime_type
    assert await ben.media_bytes(message) == data
    own = await anna.own_messages.next(timeout=1)
    assert await anna.media_bytes(own) == data


async def test_a_file_is_described(phones: Pair) -> None:
    """What is said of it arrives, and what phones add."""
    anna, ben = phones
    video = MediaDraft(
        kind=MediaKind.VIDEO,
        data=DATA,
        mime_type="video/3gpp",
        caption="look",
        seconds=7,
        width=320,
        height=240,
        thumbnail=b"small",
    )
    question = await anna.send_text(ben.number, "what?")

    await ben.next_message()
    await ben.send_media(anna.number, video, reply_to=question, mentions=[anna.number])

    message = await anna.next_message()
    assert (message.kind, message.text, message.quoted_id) == ("video", "look", question)
    assert message.mentions == (anna.jid,)
    media = await anna.media(message)
    assert (media.mime_type, media.seconds, media.thumbnail) == ("video/3gpp", 7, b"small")
    assert (media.width, media.height, media.view_once) == (320, 240, False)

    await ben.send_media(anna.number, MediaDraft(kind=MediaKind.VOICE, data=DATA))
    voice = await anna.next_message()
    media = await anna.media(voice)
    assert (media.seconds, len(media.waveform)) == (1, 64)
    assert max(media.waveform) <= 100
    await anna.play(voice)
    await ben.wait_for_receipt(voice.message_id, ReceiptKind.PLAYED)


V2, EXTENSION = "viewOnceMessageV2", "viewOnceMessageV2Extension"
WITH_CAPTION, EPHEMERAL = "documentWithCaptionMessage", "ephemeralMessage"


@pytest.mark.parametrize(
    ("kind", "details", "wrappers"),
    [
        (MediaKind.IMAGE, {"view_once": True}, [V2]),
        (MediaKind.VIDEO, {"phone_only": True}, [V2]),
        (MediaKind.VOICE, {"view_once": True}, [EXTENSION]),
        (MediaKind.STICKER, {"view_once": True}, [V2]),
        (MediaKind.DOCUMENT, {"caption": "read"}, [WITH_CAPTION]),
        (MediaKind.DOCUMENT, {}, []),
        (MediaKind.IMAGE, {"ephemeral_seconds": 86400}, [EPHEMERAL]),
        (MediaKind.IMAGE, {"ephemeral_seconds": 1, "view_once": True}, [EPHEMERAL, V2]),
    ],
)
async def test_wrappers_are_those_of_phones(
    phones: Pair, kind: MediaKind, details: dict[str, Any], wrappers: list[str]
) -> None:
    """From the outside to the inside; the file is found in them."""
    anna, ben = phones

    await anna.send_media(ben.number, MediaDraft(kind=kind, data=DATA, **details))

    message = await ben.next_message()
    content = message.content
    for wrapper in wrappers:
        content = content[wrapper]["message"]
    part = content[FORMS[kind].field]
    seconds = details.get("ephemeral_seconds")
    assert part.get("contextInfo", {}).get("expiration") == seconds
    media = await ben.media(message)
    assert media.view_once is any(wrapper in (V2, EXTENSION) for wrapper in wrappers)
    assert media.is_checked


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        (MediaKind.VOICE, {"caption": "listen"}),
        (MediaKind.STICKER, {"caption": "look"}),
        (MediaKind.IMAGE, {"seconds": 3}),
        (MediaKind.AUDIO, {"width": 3}),
        (MediaKind.VOICE, {"thumbnail": b"small"}),
    ],
)
async def test_what_a_kind_does_not_have_is_a_mistake(
    phones: Pair, kind: MediaKind, details: dict[str, Any]
) -> None:
    """Told before anything is sent."""
    anna, ben = phones

    with pytest.raises(InvalidContentError, match=f"{kind} has no "):
        await anna.send_media(ben.number, MediaDraft(kind=kind, data=DATA, **details))

    assert len(ben.inbox) == 0


async def test_a_file_is_sent_by_its_path(phones: Pair, tmp_path: Path) -> None:
    """For those that are too large to be handed over; a file must exist and be one."""
    anna, ben = phones
    path = tmp_path / "large"
    path.write_bytes(LARGE)

    document = MediaDraft(kind=MediaKind.DOCUMENT, path=path, file_name="large.bin")
    await anna.send_media(ben.number, document)

    message = await ben.next_message()
    assert (await ben.media(message)).file_name == "large.bin"
    assert await ben.media_bytes(message) == LARGE
    missing = MediaDraft(kind=MediaKind.IMAGE, path=tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        await anna.send_media(ben.number, missing)
    with pytest.raises(ValueError, match="by its data or by its path"):
        MediaDraft(kind=MediaKind.IMAGE)
    await anna.send_text(ben.number, "text")
    with pytest.raises(NoMediaError):
        await ben.media(await ben.next_message())


@pytest.mark.parametrize(
    ("flaw", "problem"),
    [
        (Flaw.FILE_SHA256, "announced: file_sha256"),
        (Flaw.FILE_ENC_SHA256, "announced: file_enc_sha256"),
        (Flaw.FILE_LENGTH, "announced: file_length"),
        (Flaw.MEDIA_KEY, "announced: mac"),
        (Flaw.DIRECT_PATH, "cannot be had: no such file (404)"),
        (Flaw.NO_DIRECT_PATH, "cannot be had: no such file (404)"),
    ],
)
async def test_a_wrong_announcement_is_found(service: Service, flaw: Flaw, problem: str) -> None:
    """Each by its own check; the message is shown all the same.

    That the file is another one is the phone's problem as well, that there is none is not.
    """
    async with (
        Phone.open(service=service, number="1") as anna,
        Phone.open(service=service, number="2") as ben,
    ):
        await anna.send_media("2", MediaDraft(kind=MediaKind.IMAGE, data=DATA, flaw=flaw))

        message = await ben.next_message()
        media = await ben.media(message)
        assert not media.is_checked
        assert media.error.endswith(problem)
        failed = [(one.where, str(one.error)) for one in ben.handling_errors]
        assert failed == ([("media", media.error)] if "announced" in problem else [])
        with pytest.raises((MediaDamagedError, MediaUnavailableError)):
            await ben.media_bytes(message)


@pytest.mark.parametrize(
    ("effect", "problem"), [(Corrupt(), "file_enc_sha256"), (Expire(), "the file is gone (410)")]
)
async def test_an_upload_is_spoiled_by_a_rule(
    service: Service, effect: Effect, problem: str
) -> None:
    """A rule that names the phone is about what it uploads."""
    async with (
        Phone.open(service=service, number="1") as anna,
        Phone.open(service=service, number="2") as ben,
    ):
        who = Who(number="1", device=0)
        service.faults.add(Rule(id="x", point=Point.MEDIA_PUT, who=who, effect=effect))
        await anna.send_media("2", MediaDraft(kind=MediaKind.IMAGE, data=DATA))

        assert (await ben.media(await ben.next_message())).error.endswith(problem)


async def test_a_refused_upload_sends_nothing(service: Service, phones: Pair) -> None:
    """Whoever sends is told, and nothing is kept."""
    anna, ben = phones
    who = Who(number=anna.number, device=0)
    service.faults.add(Rule(id="x", point=Point.MEDIA_PUT, who=who, effect=Error(code=503)))

    with pytest.raises(MediaUnavailableError, match="503"):
        await anna.send_media(ben.number, MediaDraft(kind=MediaKind.IMAGE, data=DATA))

    assert len(ben.inbox) == 0
    assert len(service.media.store) == 0


async def test_a_lazy_phone_downloads_when_somebody_asks(service: Service) -> None:
    """Not before."""
    async with (
        Phone.open(service=service, number="1") as anna,
        Phone.open(service=service, number="2", lazy=True) as ben,
    ):
        await anna.send_media("2", MediaDraft(kind=MediaKind.IMAGE, data=DATA))

        (message,) = ben.inbox
        assert message.media is not None
        assert not message.media.is_settled
        assert (await ben.media(message)).is_checked


def linked(service: Service, phone: Phone, device: int) -> DeviceRecord:
    """Add a companion without the ceremony."""
    account = service.accounts.get(phone.jid)
    companion = DeviceRecord(
        number=account.number.with_device(device),
        lid=account.lid.with_device(device),
        mailbox=Mailbox(confirms=True),
    )
    account.devices[device] = companion
    return companion


async def test_companions_get_a_placeholder_of_what_is_for_the_phone_only(
    service: Service, phones: Pair
) -> None:
    """All of both accounts; it holds no ciphertext. The phone has the file."""
    anna, ben = phones
    theirs = [linked(service, ben, device) for device in (1, 2)]
    own = linked(service, anna, 1)

    draft = MediaDraft(kind=MediaKind.IMAGE, data=DATA, phone_only=True)
    message_id = await anna.send_media(ben.number, draft)

    assert await ben.media_bytes(await ben.next_message()) == DATA
    for companion in (*theirs, own):
        (stanza,) = (one for one in companion.mailbox.waiting() if one.tag == "message")
        (placeholder,) = stanza.children
        assert (stanza.get("id"), stanza.get("from")) == (message_id, str(anna.jid))
        assert (placeholder.tag, placeholder.get("type")) == ("unavailable", "view_once")
        recipient = str(ben.jid) if companion is own else ""
        assert stanza.get("recipient") == recipient
