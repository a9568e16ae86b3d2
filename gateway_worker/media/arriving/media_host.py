"""WhatsApp's media host: encrypted files by their paths, through the session's proxy.

A path comes from whoever sent the message, so it is held to be one. A proxy that fails is a
failure: there is no other way to the host than through it.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Self

import aiohttp
from yarl import URL

from gateway_worker.errors import (
    MediaRefusedError,
    MediaUnavailableError,
    RateLimitedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.media.arriving.decryption import encrypted_bytes
from gateway_worker.runtime.retry import Backoff

HOST: Final = "mmg.whatsapp.net"
PIECE_BYTES: Final = 64 * 1024
"""No piece is larger: what several pieces take of memory adds up over all that is fetched."""
PICTURE_BYTES: Final = 4 * 1024 * 1024
"""No picture of a person or a group is larger."""
MOST_BYTES: Final = 2 * 1024**3 + PIECE_BYTES
"""What WhatsApp takes at most; the bound of a file whose length the message does not say."""
_ORIGIN: Final = "https://web.whatsapp.com"
_PATH: Final = re.compile(r"/[\x21-\x5b\x5d-\x7e]{1,4095}")
_GONE: Final = frozenset({403, 404, 410})
_TOO_MANY: Final = 429
_WHOLE: Final = 200
_OK: Final = frozenset({200, 206})
_PICTURE_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.whatsapp\.net")
_CONNECT_SECONDS: Final = 15.0
_SILENCE_SECONDS: Final = 30.0
_CUTS: Final = 3
"""How often in a row a transfer may be cut without bringing anything."""
_MOST_CUTS: Final = 20
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-")

ProxyOf = Callable[[str], Awaitable[str | None]]
"""Returns the URL of the proxy of a session; None if it has none."""

_CUT: Final = (aiohttp.ClientError, TimeoutError, OSError)
"""What is raised where a connection breaks, or none comes about."""


class MediaHost:
    """Gives encrypted files piece by piece. Made by `open`.

    Args:
        client: Speaks HTTP.
        proxy_of: Knows the proxies of sessions.
    """

    def __init__(self, *, client: aiohttp.ClientSession, proxy_of: ProxyOf) -> None:
        self._client = client
        self._proxy_of = proxy_of

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, proxy_of: ProxyOf, ca_file: Path | None, connections: int
    ) -> AsyncIterator[Self]:
        """Have a client for as long as the block lasts.

        Args:
            proxy_of: See above.
            ca_file: Whom to trust instead of those that the system does.
            connections: How many there may be at most.
        """
        trusted = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted, limit=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS
            ),
            read_bufsize=PIECE_BYTES,
            auto_decompress=False,
        ) as client:
            yield cls(client=client, proxy_of=proxy_of)

    async def read(self, session_id: str, reference: MediaReference) -> AsyncGenerator[bytes, None]:
        """Return a file as it is on the wire; a transfer that is cut goes on where it was.

        Leave early with `aclosing` only.

        Raises:
            MediaUnavailableError: There is none any more.
            MediaRefusedError: It is not what the message says.
            UpstreamTimeoutError: It cannot be had now.
        """
        url, limit = _url(reference), _limit(reference)
        came = cuts = cuts_in_a_row = 0
        backoff = Backoff(initial_seconds=0.2, maximum_seconds=2.0)
        is_whole = False
        while not is_whole:
            before = came
            try:
                async with aclosing(self._part(session_id, url, came)) as pieces:
                    async for piece in pieces:
                        came += len(piece)
                        if came > limit:
                            raise MediaRefusedError("the file is longer than its message says")
                        yield piece
                is_whole = True
            except _CUT as error:
                cuts += 1
                cuts_in_a_row = 1 if came > before else cuts_in_a_row + 1
                if cuts_in_a_row >= _CUTS or cuts >= _MOST_CUTS:
                    raise UpstreamTimeoutError(_described(error)) from error
                await asyncio.sleep(backoff.next_seconds())

    async def picture(self, session_id: str, url: str) -> bytes:
        """Return the picture at a URL of WhatsApp's, through the session's proxy.

        Raises:
            MediaUnavailableError: There is none any more.
            MediaRefusedError: It is too large, or elsewhere.
            UpstreamTimeoutError: It cannot be had now.
        """
        place = _picture_url(url)
        data = bytearray()
        proxy = await self._proxy_of(session_id)
        try:
            async with self._client.get(
                place, headers=_headers(0), proxy=proxy, allow_redirects=False
            ) as response:
                _check(response)
                async for piece in response.content.iter_chunked(PIECE_BYTES):
                    data += piece
                    if len(data) > PICTURE_BYTES:
                        raise MediaRefusedError("the picture is larger than any is")
        except _CUT as error:
            raise UpstreamTimeoutError(_described(error)) from error
        return bytes(data)

    async def _part(self, session_id: str, url: URL, offset: int) -> AsyncGenerator[bytes, None]:
        """Return what there is from a place on."""
        proxy = await self._proxy_of(session_id)
        async with self._client.get(
            url, headers=_headers(offset), proxy=proxy, allow_redirects=False
        ) as response:
            _check(response)
            skipped = _to_skip(response, offset)
            async for piece in response.content.iter_chunked(PIECE_BYTES):
                if skipped < len(piece):
                    yield piece[skipped:]
                skipped = max(0, skipped - len(piece))


def _url(reference: MediaReference) -> URL:
    path = reference.direct_path
    if not _PATH.fullmatch(path):
        raise MediaRefusedError("the message does not say where its file is")
    digest = base64.urlsafe_b64encode(reference.file_enc_sha256).decode()
    query = f"hash={digest}&mms-type={reference.media_type}&__wa-mms="
    url = URL(f"https://{HOST}{path}{'&' if '?' in path else '?'}{query}", encoded=True)
    if url.host != HOST or url.scheme != "https" or url.fragment:
        raise MediaRefusedError("the message does not say where its file is")
    return url


def _picture_url(text: str) -> URL:
    try:
        url = URL(text, encoded=True)
        has_port = url.explicit_port is not None
    except ValueError:
        raise MediaRefusedError("WhatsApp does not say where the picture is") from None
    if url.scheme != "https" or has_port or not _PICTURE_HOST.fullmatch(url.host or ""):
        raise MediaRefusedError("the picture is not where WhatsApp's are")
    return url


def _limit(reference: MediaReference) -> int:
    size = reference.file_length
    return min(encrypted_bytes(size), MOST_BYTES) if size else MOST_BYTES


def _headers(offset: int) -> Mapping[str, str]:
    headers = {"Origin": _ORIGIN, "Referer": f"{_ORIGIN}/", "Accept-Encoding": "identity"}
    return headers | {"Range": f"bytes={offset}-"} if offset else headers


def _check(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status in _OK:
        return
    if status in _GONE:
        raise MediaUnavailableError(f"WhatsApp does not have the file any more ({status})")
    failure = RateLimitedError if status == _TOO_MANY else UpstreamTimeoutError
    raise failure(
        f"WhatsApp's media host answered with {status}",
        retry_after_seconds=_retry_after(response.headers.get("Retry-After")),
    )


def _to_skip(response: aiohttp.ClientResponse, offset: int) -> int:
    """Return how many bytes of an answer are known already."""
    if response.status == _WHOLE:  # whatever was asked for
        return offset
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) > offset:
        raise UpstreamTimeoutError("WhatsApp's media host answered with another part of the file")
    return offset - int(found[1])


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that the host asks for, in either form of the header."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at - datetime.now(UTC)).total_seconds()) if at.tzinfo else None


def _described(error: BaseException) -> str:
    """Say what broke, without addresses."""
    if isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError):
        return "the session's proxy does not lead to WhatsApp's media host"
    return f"the transfer from WhatsApp's media host broke off ({type(error).__name__})"
