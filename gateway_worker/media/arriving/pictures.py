"""Pictures of people and groups: from WhatsApp through the session's proxy into the object store.

They are not encrypted and small, so one is in memory for as long as it takes.
"""

import hashlib
from collections.abc import AsyncGenerator
from typing import Protocol

from gateway_contracts import Media, MediaState, new_id
from gateway_worker.errors import MediaRefusedError
from gateway_worker.media.allowance import MediaAllowance
from gateway_worker.media.arriving.links import Links
from gateway_worker.media.arriving.ports import ObjectStore
from gateway_worker.media.arriving.records import MediaRow, key_of

_JPEG = "image/jpeg"
_SIGNATURE = b"\xff\xd8\xff"


class PictureHost(Protocol):
    """Where pictures come from."""

    async def picture(self, session_id: str, url: str) -> bytes:
        """Return what is at a URL of WhatsApp's, by the session's way there."""
        ...


class Pictures:
    """Brings pictures into the store.

    Args:
        host: Where they come from.
        objects: The store.
        links: Makes links to what is there.
        allowance: How many bytes each tenant may receive.
    """

    def __init__(
        self, *, host: PictureHost, objects: ObjectStore, links: Links, allowance: MediaAllowance
    ) -> None:
        self._host = host
        self._objects = objects
        self._links = links
        self._allowance = allowance

    async def fetch(self, session_id: str, url: str, *, of: str) -> MediaRow:
        """Bring a picture into the store unless it is there; returns the row to be committed.

        Args:
            session_id: Who may see it.
            url: Where WhatsApp has it.
            of: The id of the chat with whom it shows, by which it is erased with that person.

        Raises:
            MediaUnavailableError: It is not there any more.
            MediaRefusedError: It is no picture, or elsewhere than WhatsApp's are.
            QuotaExceededError: Its tenant has received as many bytes today as it may.
            RetryableError: It, or the store, cannot be had now.
        """
        await self._allowance.check(session_id)
        data = await self._host.picture(session_id, url)
        await self._allowance.count(session_id, len(data))
        if not data.startswith(_SIGNATURE):
            raise MediaRefusedError("what WhatsApp has there is no JPEG")
        sha256 = hashlib.sha256(data).hexdigest()
        key = key_of(session_id, sha256)
        known = await self._objects.head(key, is_sure=False)
        if known is None or known.size_bytes != len(data):
            await self._objects.write(key, _once(data), content_type=_JPEG)
        media = Media(
            state=MediaState.READY,
            media_id=new_id(),
            mime_type=_JPEG,
            size=len(data),
            sha256=sha256,
            key=key,
        )
        assert media.media_id is not None
        return MediaRow(media_id=media.media_id, message_id="", chat=of, media=media, reference=b"")

    async def linked(self, row: MediaRow) -> Media:
        """Return a picture with new links to it. Raises `DependencyError`."""
        return await self._links.linked(row.media, file_name=None)


async def _once(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data
