"""The hosts of files: an HTTP server that speaks inside of tunnels to `*.whatsapp.net`.

    POST   /mms/TYPE/HASH?auth=TOKEN     200 {url, direct_path}
    GET    DIRECT_PATH                   200, or 206 for a range
    DELETE /mms/TYPE/HASH?auth=TOKEN     200

HASH is the SHA-256 of the uploaded bytes, as URL-safe base64. A download needs no token: its path
is signed. Other areas than `mms` are taken as well: `newsletter` has files that are not encrypted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web

from gateway_worker.sandbox.service.errors import MediaRefusedError
from gateway_worker.sandbox.service.fault_rules import Blank, Cut, Drop
from gateway_worker.sandbox.service.media.body import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from gateway_worker.sandbox.service.media.body import Body
    from gateway_worker.sandbox.service.media.media import Media, MediaFault
    from gateway_worker.sandbox.service.media.store import Upload

HOST: Final = "mmg.whatsapp.net"
DOMAIN: Final = ".whatsapp.net"

PIECES_PER_SECOND: Final = 10
"""Of a download that a rule slows down."""
WRITTEN_BYTES: Final = 1 << 20
"""Of an upload so much is hashed and written at a time, outside of the event loop, which has every
device's messages to pass on meanwhile."""

_UPLOADED: Final = re.compile(r"/(?:mms|newsletter)/(?P<type>[a-z-]+)/(?P<hash>[\w-]+)={0,2}")
_BAD_REQUEST, _NOT_FOUND, _NOT_ALLOWED, _LENGTH_REQUIRED = 400, 404, 405, 411
_BAD_RANGE: Final = 416
_HASH_BYTES: Final = 32

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class _CutError(ConnectionError):
    """The connection was cut on purpose."""


class MediaHosts:
    """All hosts of files in one; belongs to the running event loop."""

    def __init__(self, *, media: Media) -> None:
        """Serve a service's files."""
        self._media = media
        self._server = web.Server(self._answer, access_log=None)
        self._answers: dict[str, Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]] = {
            hdrs.METH_POST: self._take,
            hdrs.METH_GET: self._give,
            hdrs.METH_DELETE: self._delete,
        }

    def protocol(self) -> asyncio.Protocol:
        """Return what speaks with one client."""
        return self._server()

    def abort(self) -> None:
        """Cut every connection."""
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answers.get(request.method, _refuse_method)(request)
        except MediaRefusedError as error:
            log.info("sandbox.media_refused", method=request.method, status=error.status)
            wait = error.retry_after_seconds
            headers = {} if wait is None else {hdrs.RETRY_AFTER: str(wait)}
            return web.Response(status=error.status, headers=headers)
        except (ConnectionError, web.RequestPayloadError):
            return web.Response()  # to nobody: the connection is cut

    # --- uploads

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        media_type, sha256 = _uploaded(request)
        uploader = self._media.tokens.holder(request.query.get("auth", ""))
        if request.content_length is None:
            raise MediaRefusedError(_LENGTH_REQUIRED, "an upload says its length")
        fault = self._media.fault_of_upload(uploader, media_type=media_type, sha256=sha256)
        await asyncio.sleep(fault.delay_seconds)
        _drop(request, fault)
        fault.refuse()
        upload = self._media.store.begin()
        try:
            await _receive(request, upload, fault)
            _check(upload, sha256)
            stored = self._media.keep(upload, media_type=media_type, uploader=uploader, fault=fault)
        except BaseException:
            upload.discard()
            raise
        path = self._media.store.direct_path(stored)
        log.info("sandbox.media_uploaded", media_type=media_type, size=stored.size)
        if isinstance(fault.effect, Blank):
            return _json({})
        return _json({"url": f"https://{HOST}{path}&mms3=true", "direct_path": path})

    async def _delete(self, request: web.BaseRequest) -> web.StreamResponse:
        self._media.tokens.holder(request.query.get("auth", ""))
        _, sha256 = _uploaded(request)
        if not self._media.store.drop(sha256):
            raise MediaRefusedError(_NOT_FOUND, "no such file")
        return web.Response()

    # --- downloads

    async def _give(self, request: web.BaseRequest) -> web.StreamResponse:
        stored = self._media.store.find(request.path_qs)
        fault = self._media.fault_of_download(stored)
        await asyncio.sleep(fault.delay_seconds)
        _drop(request, fault)
        fault.refuse()
        body = self._media.body(stored, fault)
        response, start, stop = _head(request, body)
        response.content_type = "application/octet-stream"
        response.headers[hdrs.ACCEPT_RANGES] = "bytes"
        response.content_length = stop - start
        await response.prepare(request)
        cut_at = start + (stop - start) // 2 if isinstance(fault.effect, Cut) else None
        async for piece in _paced(body, start, stop if cut_at is None else cut_at, fault):
            await response.write(piece)
        if cut_at is not None:
            _cut(request)
        await response.write_eof()
        return response


def _uploaded(request: web.BaseRequest) -> tuple[str, bytes]:
    """Return the type and the hash in the path of an upload.

    Raises:
        MediaRefusedError: it is no such path.
    """
    found = _UPLOADED.fullmatch(request.path)
    if found is None:
        raise MediaRefusedError(_NOT_FOUND, "nothing is uploaded to this path")
    padded = found["hash"] + "=" * (-len(found["hash"]) % 4)
    try:
        sha256 = base64.urlsafe_b64decode(padded)
    except ValueError:
        sha256 = b""
    if len(sha256) != _HASH_BYTES:
        raise MediaRefusedError(_BAD_REQUEST, "not a hash")
    return found["type"], sha256


async def _refuse_method(_request: web.BaseRequest) -> web.StreamResponse:
    raise MediaRefusedError(_NOT_ALLOWED, "no such method")


def _check(upload: Upload, sha256: bytes) -> None:
    if upload.sha256 != sha256:
        raise MediaRefusedError(_BAD_REQUEST, "the bytes have another hash")


async def _receive(request: web.BaseRequest, upload: Upload, fault: MediaFault) -> None:
    cut_at = (request.content_length or 0) // 2 if isinstance(fault.effect, Cut) else None
    received, written = 0, 0
    waiting: list[bytes] = []
    async for piece in request.content.iter_any():
        received += len(piece)
        waiting.append(piece)
        if received - written >= WRITTEN_BYTES:
            await _write_aside(upload, waiting)
            waiting, written = [], received
        if cut_at is not None and received >= cut_at:
            _cut(request)
        if fault.bytes_per_second:
            await asyncio.sleep(len(piece) / fault.bytes_per_second)
    _write(upload, waiting)
    upload.close()


def _write(upload: Upload, pieces: list[bytes]) -> None:
    for piece in pieces:
        upload.write(piece)


async def _write_aside(upload: Upload, pieces: list[bytes]) -> None:
    """Write in a thread; to the end even if that is cancelled, for then the file is closed."""
    writing = asyncio.ensure_future(asyncio.to_thread(_write, upload, pieces))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait((writing,))
        writing.exception()  # nobody asks for it any more
        raise


async def _paced(body: Body, start: int, stop: int, fault: MediaFault) -> AsyncIterator[bytes]:
    speed = fault.bytes_per_second
    at_once = max(min(PIECE_BYTES, speed // PIECES_PER_SECOND), 1) if speed else PIECE_BYTES
    try:
        for piece in body.pieces(start, stop, piece_bytes=at_once):
            if speed:
                await asyncio.sleep(len(piece) / speed)
            yield piece
    except FileNotFoundError:
        raise _CutError("the file went away meanwhile") from None


def _head(request: web.BaseRequest, body: Body) -> tuple[web.StreamResponse, int, int]:
    """Return the answer to a download without its bytes, and which of them it has.

    Raises:
        MediaRefusedError: it asks for a range that there is not.
    """
    if hdrs.RANGE not in request.headers:
        return web.StreamResponse(), 0, body.size
    try:
        start, stop, _ = request.http_range.indices(body.size)
    except ValueError:
        start = stop = 0
    if start >= stop:
        raise MediaRefusedError(_BAD_RANGE, "no such range")
    content_range = f"bytes {start}-{stop - 1}/{body.size}"
    return web.StreamResponse(status=206, headers={hdrs.CONTENT_RANGE: content_range}), start, stop


def _drop(request: web.BaseRequest, fault: MediaFault) -> None:
    if isinstance(fault.effect, Drop):
        _cut(request)


def _cut(request: web.BaseRequest) -> None:
    """Cut the connection.

    Raises:
        _CutError: always, for there is nobody to answer.
    """
    if request.transport is not None:
        request.transport.abort()
    raise _CutError("cut by a rule")


def _json(value: dict[str, str]) -> web.Response:
    return web.Response(body=json.dumps(value).encode(), content_type="application/json")
