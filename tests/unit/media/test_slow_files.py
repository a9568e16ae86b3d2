"""A file that comes too slowly makes room for others, and is tried again."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from datetime import datetime

import pytest

from gateway_contracts import Media, MediaState
from gateway_worker.errors import UpstreamTimeoutError
from gateway_worker.host_protocol.media import MediaReference, MediaType
from gateway_worker.media.arriving.download import Downloader, EncryptedFiles
from gateway_worker.media.arriving.ports import ObjectHead, ObjectStore
from gateway_worker.media.arriving.records import MediaRow
from gateway_worker.media.arriving.sealed import SealedReferences
from tests.support.byte_counts import allowance
from tests.support.encrypted_files import encrypted

BODY, REFERENCE = encrypted(b"hello" * 200, media_type=MediaType.IMAGE)


class TricklingFiles(EncryptedFiles):
    """Gives the beginning of a file, and then nothing for as long as it is listened to."""

    def __init__(self) -> None:
        self.is_left = False

    async def read(self, session_id: str, reference: MediaReference) -> AsyncGenerator[bytes, None]:
        """Return it."""
        assert (session_id, reference) == ("s", REFERENCE)
        try:
            yield BODY[:100]
            await asyncio.Event().wait()
        finally:
            self.is_left = True


class EmptyBucket(ObjectStore):
    """Has nothing, and takes what comes."""

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, content_type: str) -> int:
        """Take it."""
        assert key
        assert content_type
        return sum([len(chunk) async for chunk in chunks])

    async def head(self, key: str, *, is_sure: bool = True) -> ObjectHead | None:
        """Have nothing."""
        assert key
        assert not is_sure
        return None

    async def presign_get(
        self, key: str, *, valid_seconds: int, file_name: str | None = None
    ) -> str:
        """Fail."""
        raise NotImplementedError

    async def delete(self, *keys: str) -> None:
        """Fail."""
        raise NotImplementedError

    async def delete_prefix(self, prefix: str, *, before: datetime | None = None) -> int:
        """Fail."""
        raise NotImplementedError


async def test_a_file_that_trickles_leaves_its_place_to_others() -> None:
    """However long each piece may be awaited; nothing of it is read any more."""
    references, files = SealedReferences(seal=None), TricklingFiles()
    downloader = Downloader(
        files=files,
        objects=EmptyBucket(),
        references=references,
        allowance=allowance(),
        least_seconds=0.0,
    )
    row = MediaRow(
        media_id="m",
        message_id="M",
        chat="c",
        media=Media(state=MediaState.PENDING, media_id="m", mime_type="image/jpeg"),
        reference=references.seal(REFERENCE, session_id="s", media_id="m"),
    )
    with pytest.raises(UpstreamTimeoutError, match="too slowly"):
        await downloader.download("s", row)
    assert files.is_left
