"""One file: from WhatsApp's media host through the checks into the object store."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Final, Protocol

import msgspec

from gateway_contracts import Media, MediaState
from gateway_worker.errors import UpstreamTimeoutError
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.media.allowance import MediaAllowance
from gateway_worker.media.arriving.decryption import Decryption
from gateway_worker.media.arriving.ports import ObjectStore
from gateway_worker.media.arriving.read_ahead import read_ahead
from gateway_worker.media.arriving.records import MediaRow, key_of, thumbnail_key_of
from gateway_worker.media.arriving.sealed import SealedReferences
from gateway_worker.media.places import SharedPlaces, owner_of

LARGE_BYTES: Final = 4 * 1024 * 1024
_LARGE_AT_ONCE: Final = 3
"""Files of that size have a part of an upload in memory each; two are of one tenant at most."""
_INLINE_BYTES: Final = 16 * 1024
"""What is larger is decrypted in a thread."""
_PIECES_AHEAD: Final = 4
LEAST_SECONDS: Final = 60.0
_SLOWEST_BYTES: Final = 16 * 1024
"""In a second: what comes more slowly over all holds up the files of others."""
_UNKNOWN_BYTES: Final = 64 * 1024 * 1024
"""What a file counts as whose message does not say how large it is."""
_HARMLESS: Final = re.compile(
    r"(image/(jpeg|png|webp|gif|heic)|(audio|video)/[a-z0-9.+-]{1,64}|application/pdf)"
    r"(; ?codecs=[a-z0-9.,-]{1,64})?"
)
_OTHERWISE: Final = "application/octet-stream"
_JPEG: Final = "image/jpeg"


class EncryptedFiles(Protocol):
    """Where encrypted files come from."""

    def read(self, session_id: str, reference: MediaReference) -> AsyncGenerator[bytes, None]:
        """Return a file as it is on the wire, in pieces."""
        ...


class Downloader:
    """Brings files into the store.

    Args:
        files: Where they come from.
        objects: The store.
        references: Opens what is stored of their places.
        allowance: How many bytes each tenant may receive.
        least_seconds: How long any file may take to come, however small it is.
    """

    def __init__(
        self,
        *,
        files: EncryptedFiles,
        objects: ObjectStore,
        references: SealedReferences,
        allowance: MediaAllowance,
        least_seconds: float = LEAST_SECONDS,
    ) -> None:
        self._files = files
        self._objects = objects
        self._references = references
        self._allowance = allowance
        self._least_seconds = least_seconds
        self._large = SharedPlaces(_LARGE_AT_ONCE)

    async def download(self, session_id: str, row: MediaRow) -> tuple[Media, int]:
        """Bring a file into the store unless it is there; returns it, and how many bytes came.

        Raises:
            MediaUnavailableError: WhatsApp does not have it any more.
            MediaRefusedError: It is not what its message says.
            QuotaExceededError: Its tenant has received as many bytes today as it may.
            UpstreamTimeoutError: It cannot be had now.
            DependencyError: The store cannot be used now.
        """
        reference = self._references.open(
            row.reference, session_id=session_id, media_id=row.media_id
        )
        key = key_of(session_id, reference.file_sha256.hex())
        known = await self._objects.head(key, is_sure=False)
        if known is not None and reference.file_length not in (0, known.size_bytes):
            known = None  # whatever that is, it is not the file: it is written over
        if known is None:
            await self._allowance.check(session_id)
            size = await self._fetch(session_id, reference, key, _content_type(row.media))
            await self._allowance.count(session_id, size)
        thumbnail_key = await self._keep_thumbnail(key, row.thumbnail)
        media = row.media.model_copy(
            update={
                "state": MediaState.READY,
                "key": key,
                "size": size if known is None else known.size_bytes,
                "sha256": reference.file_sha256.hex(),
                "thumbnail_key": thumbnail_key,
                "error": None,
            }
        )
        return media, 0 if known is not None else size

    def place_of(self, session_id: str, row: MediaRow) -> MediaReference:
        """Return where WhatsApp has a file, with the thumbnail that came with it if it is there.

        Raises:
            MediaUnavailableError: What is stored of that cannot be read.
        """
        found = self._references.open(row.reference, session_id=session_id, media_id=row.media_id)
        return msgspec.structs.replace(found, thumbnail=row.thumbnail)

    async def _fetch(
        self, session_id: str, reference: MediaReference, key: str, content_type: str
    ) -> int:
        decryption = Decryption(reference)
        async with AsyncExitStack() as stack:
            # What does not say how large it is may be anything.
            if not 0 < reference.file_length < LARGE_BYTES:
                await stack.enter_async_context(self._large.place(owner_of(session_id)))
            pieces = self._files.read(session_id, reference)
            ahead = read_ahead(pieces, pieces_ahead=_PIECES_AHEAD)
            plain = await stack.enter_async_context(aclosing(_decrypted(decryption, ahead)))
            try:
                async with asyncio.timeout(self._seconds_for(reference.file_length)):
                    return await self._objects.write(key, plain, content_type=content_type)
            except TimeoutError as error:
                raise UpstreamTimeoutError("the file comes too slowly") from error

    def _seconds_for(self, size_bytes: int) -> float:
        """Return how long a file may take; its place is others' then, and it is tried again."""
        return self._least_seconds + (size_bytes or _UNKNOWN_BYTES) / _SLOWEST_BYTES

    async def _keep_thumbnail(self, key: str, thumbnail: bytes | None) -> str | None:
        if not thumbnail:
            return None
        place = thumbnail_key_of(key)
        await self._objects.write(place, _once(thumbnail), content_type=_JPEG)
        return place


async def _decrypted(
    decryption: Decryption, pieces: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """Return the plain file; its last piece only after all checks."""
    async with aclosing(pieces):
        async for piece in pieces:
            if len(piece) > _INLINE_BYTES:
                plain = await asyncio.to_thread(decryption.feed, piece)
            else:
                plain = decryption.feed(piece)
            if plain:
                yield plain
    if rest := decryption.finish():
        yield rest


async def _once(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


def _content_type(media: Media) -> str:
    """Return how the object is served: nothing that a browser executes, whatever is said."""
    told = (media.mime_type or "").lower()
    return told if _HARMLESS.fullmatch(told) else _OTHERWISE
