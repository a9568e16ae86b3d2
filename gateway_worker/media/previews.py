"""Previews of links: what is shown of a page with a text that has its address.

A preview is an extra. Whatever goes wrong on the way to one, or takes too long, the text is sent
without it.
"""

import asyncio
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import structlog

from gateway_worker.errors import GatewayError
from gateway_worker.media.allowance import MediaAllowance
from gateway_worker.media.fetching.fetcher import Fetcher
from gateway_worker.media.inspection.inspector import Inspector
from gateway_worker.media.places import owner_of

log = structlog.get_logger(__name__)

SECONDS: Final = 8.0
"""How long a text waits for its preview at most."""
PAGE_BYTES: Final = 512 * 1024
"""What a page says of itself is near its beginning."""
PICTURE_BYTES: Final = 5 * 1024 * 1024
LONGEST_LINK: Final = 4_096
"""In characters, as with files by URL."""
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_LINK: Final = re.compile(r"https?://[^\s<>\"\u201c\u201d]+", re.IGNORECASE)
_NOT_AT_THE_END: Final = ".,;:!?'\u2019\u2026*_~"
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What is shown of a page.

    Attributes:
        url: Its address, as it stands in the text.
        title: Its title.
        description: What it is about.
        thumbnail: A JPEG of at most 32 KiB.
    """

    url: str
    title: str
    description: str | None = None
    thumbnail: bytes | None = None


class Previews:
    """Makes previews.

    Args:
        fetcher: Goes where links lead, as far as it may.
        inspector: Reads pages and pictures.
        allowance: How many bytes each tenant may send: pages are among them.
        seconds: How long one may take.
    """

    def __init__(
        self,
        *,
        fetcher: Fetcher,
        inspector: Inspector,
        allowance: MediaAllowance,
        seconds: float = SECONDS,
    ) -> None:
        self._fetcher = fetcher
        self._inspector = inspector
        self._allowance = allowance
        self._seconds = seconds

    async def of_text(self, text: str, *, session_id: str, directory: Path) -> Preview | None:
        """Return the preview of the first link of a text.

        Args:
            text: The text.
            session_id: Who sends it.
            directory: Does not exist yet; made for the files, and removed.

        Returns:
            None if there is no link, or nothing to be shown of it.
        """
        url = first_link(text)
        if url is None:
            return None
        try:
            await asyncio.to_thread(directory.mkdir, mode=0o700, parents=True)
            async with asyncio.timeout(self._seconds):
                return await self._made(url, session_id, directory)
        except (GatewayError, TimeoutError, OSError) as error:
            reason = error.code if isinstance(error, GatewayError) else type(error).__name__
            log.info("preview.none", reason=reason)
            return None
        finally:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    async def _made(self, url: str, session_id: str, directory: Path) -> Preview | None:
        path = directory / "page"
        async with self._allowance.counting(session_id) as tally:
            fetched = await self._fetcher.fetch(
                url,
                owner=owner_of(session_id),
                into=path,
                limit_bytes=PAGE_BYTES,
                seconds=self._seconds,
                whole=False,
                came=tally.add,
            )
        if fetched.content_type not in _PAGES:
            return None
        page = await self._inspector.describe(
            path, owner=owner_of(session_id), limit_bytes=PAGE_BYTES
        )
        if page.title is None:
            return None
        return Preview(
            url=url,
            title=page.title,
            description=page.description,
            thumbnail=None
            if page.image is None
            else await self._thumbnail(
                page.image, base=fetched.url, session_id=session_id, path=directory / "picture"
            ),
        )

    async def _thumbnail(
        self, image: str, *, base: str, session_id: str, path: Path
    ) -> bytes | None:
        """Return a page's picture made small; None without one: the words are enough."""
        try:
            # With time left for the text, which is worth more than its picture.
            async with asyncio.timeout(self._seconds / 2):
                async with self._allowance.counting(session_id) as tally:
                    await self._fetcher.fetch(
                        urljoin(base, image),
                        owner=owner_of(session_id),
                        into=path,
                        limit_bytes=PICTURE_BYTES,
                        seconds=self._seconds,
                        came=tally.add,
                    )
                found = await self._inspector.inspect(
                    path, "document", owner=owner_of(session_id), limit_bytes=PICTURE_BYTES
                )
        except (GatewayError, TimeoutError, ValueError):
            return None
        return found.thumbnail


def first_link(text: str) -> str | None:
    """Return the first address of a page in a text, without what only ends the sentence."""
    found = _LINK.search(text)
    if found is None:
        return None
    if len(found[0]) > LONGEST_LINK:  # nobody fetches it, and its end is looked at piece by piece
        return None
    link = found[0]
    while link and (
        link[-1] in _NOT_AT_THE_END
        or (link[-1] in _PAIRS and link.count(link[-1]) > link.count(_PAIRS[link[-1]]))
    ):
        link = link[:-1]
    return link if link.partition("://")[2] else None
