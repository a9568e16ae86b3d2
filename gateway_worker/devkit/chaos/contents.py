"""What phones write, and what all that the traffic writes can be told by at a phone.

Each content has a label of its own, which the receiving phone shows: as its text, its caption, its
place's name. Sounds and stickers are known by their hash, reactions and deletions by what they are
about. What the backend writes is in `habits`.
"""

import hashlib
import random
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from gateway_worker.devkit.chaos.labelled_files import LabelledFiles
from gateway_worker.devkit.services import ObjectStore
from gateway_worker.sandbox.control.client import SandboxClient
from gateway_worker.sandbox.control.models import MessageView, NewContent, NewMedia
from gateway_worker.sandbox.phones.media.draft import Flaw
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.storage.objects import Bucket, Objects, ObjectsSettings

TEXT_SHARE: Final = 0.55
FILE_SHARE: Final = 0.3
FLAW_SHARE: Final = 0.05
WRAPPED_SHARE: Final = 0.2
SMALLEST_BYTES, LARGEST_BYTES = 200, 30_000
EPHEMERAL_SECONDS: Final = 86_400
VCARD: Final = "BEGIN:VCARD\nVERSION:3.0\nFN:Chaos\nEND:VCARD"

PICTURE_KEY, DOCUMENT_KEY = "shared/chaos/picture.png", "shared/chaos/document.txt"
_FLAWS: Final = (Flaw.FILE_SHA256, Flaw.FILE_ENC_SHA256, Flaw.MEDIA_KEY, Flaw.DIRECT_PATH)
REACTION, REVOKE = "reaction", "revoke"
_NAMED: Final = {
    "location": ("locationMessage", "name"),
    "contact": ("contactMessage", "displayName"),
    "poll": ("pollCreationMessage", "name"),
}


def _picture() -> bytes:
    """Return a grey PNG of 64 by 48 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", 64, 48, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(range(64))) * 48)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


FILES: Final = {PICTURE_KEY: _picture(), DOCUMENT_KEY: b"Nothing is lost.\n" * 100}
"""What the backend has in the gateway's bucket."""
HASHES: Final = frozenset(hashlib.sha256(data).hexdigest() for data in FILES.values())


async def put_files(store: ObjectStore) -> None:
    """Put the backend's files into the bucket.

    Raises:
        DependencyError: The store is unavailable.
    """
    async with Objects.open(settings_of(store)) as objects:
        bucket = Bucket(objects=objects)
        for key, data in FILES.items():
            await bucket.put(key, data, content_type="application/octet-stream")


async def read_hashes(store: ObjectStore, keys: Iterable[str]) -> dict[str, str]:
    """Return the hashes of objects; "" of what is not there.

    Raises:
        DependencyError: The store is unavailable.
    """
    async with Objects.open(settings_of(store)) as objects:
        bucket = Bucket(objects=objects)
        found = {key: await bucket.get(key) for key in keys}
    return {
        key: "" if data is None else hashlib.sha256(data).hexdigest() for key, data in found.items()
    }


def settings_of(store: ObjectStore) -> ObjectsSettings:
    """Return how to reach a store."""
    return ObjectsSettings.model_validate(
        {
            "endpoint_url": store.endpoint_url,
            "region": store.region,
            "bucket": store.bucket,
            "access_key_id": store.access_key_id,
            "secret_access_key": store.secret_access_key,
            "operation_timeout_seconds": 5.0,
        }
    )


# --- at the phones


async def label_of(
    phones: SandboxClient, files: LabelledFiles, number: str, message: MessageView
) -> str:
    """Return the label of a message at a phone."""
    if message.kind == REACTION:
        return reaction_label(message.target_id or "", message.text)
    if message.kind == REVOKE:
        return revoke_label(message.target_id or "")
    if message.text:
        return message.text
    if message.media is not None:
        return files.label(message.media.sha256)
    if message.kind not in _NAMED:
        return ""
    field, name = _NAMED[message.kind]
    content = (await phones.content(number, message.message_id)).content
    found: dict[str, Any] = next(
        (part for key, part in content.items() if key.startswith(field)), {}
    )
    return str(found.get(name, ""))


def reaction_label(message_id: str, emoji: str) -> str:
    """Return the label of a reaction."""
    return f"reaction {message_id} {emoji}"


def revoke_label(message_id: str) -> str:
    """Return the label of a deletion."""
    return f"revoke {message_id}"


def is_damaged(files: LabelledFiles, message: MessageView) -> bool:
    """Tell whether a phone has a message whose file is not the one that was sent."""
    media = message.media
    if media is None:
        return False
    is_ours = media.sha256 in HASHES or files.label(media.sha256) != ""
    return not (media.is_checked and is_ours)


# --- from the phones


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a phone has written.

    Attributes:
        sha256: Of its file; None if it has none, "" if nobody can have it.
        text: What it says, or what is written to what it brings; empty of a file.
    """

    message_id: str
    sha256: str | None = None
    text: str = ""


async def write(
    phones: SandboxClient, writer: str, to: str, label: str, dice: random.Random
) -> Written:
    """Draw what a phone writes, and write it."""
    share = dice.random()
    if share < TEXT_SHARE:
        return Written(message_id=await phones.send_text(writer, to, label), text=label)
    if share < TEXT_SHARE + FILE_SHARE:
        return await _write_file(phones, writer, to, label, dice)
    content = dice.choice(_others(label))
    sent = NewContent(to=to, content=content)
    message_id = await phones.send_content(writer, sent.to, sent.content)
    return Written(message_id=message_id, text=label)


async def _write_file(
    phones: SandboxClient, writer: str, to: str, label: str, dice: random.Random
) -> Written:
    data = label.encode() + dice.randbytes(dice.randint(SMALLEST_BYTES, LARGEST_BYTES))
    flaw = dice.choice(_FLAWS) if dice.random() < FLAW_SHARE else None
    media = NewMedia(
        to=to,
        kind=dice.choice(list(MediaKind)),
        data=data,
        view_once=dice.random() < WRAPPED_SHARE,
        ephemeral_seconds=EPHEMERAL_SECONDS if dice.random() < WRAPPED_SHARE else None,
        flaw=flaw,
    )
    message_id = await phones.send_media(writer, media)
    sha256 = "" if flaw else hashlib.sha256(data).hexdigest()
    return Written(message_id=message_id, sha256=sha256)


def _others(label: str) -> tuple[dict[str, Any], ...]:
    return (
        {"locationMessage": {"degreesLatitude": 52.5, "degreesLongitude": 13.4, "name": label}},
        {"contactMessage": {"displayName": label, "vcard": VCARD}},
        {"groupInviteMessage": {"groupJID": "1@g.us", "inviteCode": "x", "caption": label}},
        {"extendedTextMessage": {"text": label, "contextInfo": {"isForwarded": True}}},
    )
