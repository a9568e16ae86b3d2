"""Sounds and stickers with a label inside, made when somebody asks for them, over HTTP.

A phone shows no text with them. What it has got is known by its hash: a file that is as WhatsApp
wants it is sent byte by byte.
"""

import asyncio
import contextlib
import hashlib
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote, unquote

from gateway_worker.devkit.services.loopback import LOOPBACK

_RATE: Final = 48_000
_PACKETS: Final = 50
_SILENCE: Final = b"\xf8\xff\xfe"
"""Opus: 20 ms of one channel."""
_POLYNOMIAL: Final = 0x04C11DB7
_FIRST, _LAST = 2, 4
_SIDE: Final = 512
_STICKER: Final = bytes.fromhex(
    "2fffc17f000750d06a55abff018140b2bff70c45f43fe33ffff9cf7ffef39ffffc1f"
)
"""Lossless WebP: 512 by 512 pixels of one colour."""
_HAS_XMP: Final = 0x04


def sound(label: str) -> bytes:
    """Return a second of silence, as Opus in Ogg, with one channel: a voice message as it is."""
    comment = f"TITLE={label}".encode()
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, _RATE, 0, 0)
    tags = b"OpusTags" + struct.pack("<II", 0, 1) + struct.pack("<I", len(comment)) + comment
    return b"".join(
        (
            _page(0, _FIRST, 0, [head]),
            _page(1, 0, 0, [tags]),
            _page(2, _LAST, _RATE, [_SILENCE] * _PACKETS),
        )
    )


def sticker(label: str) -> bytes:
    """Return a picture of one colour, as WebP of the size of a sticker."""
    size = (_SIDE - 1).to_bytes(3, "little")
    body = b"WEBP" + b"".join(
        (
            _chunk(b"VP8X", bytes([_HAS_XMP, 0, 0, 0]) + size + size),
            _chunk(b"VP8L", _STICKER),
            _chunk(b"XMP ", label.encode()),
        )
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


FORMS: Final[Mapping[str, Callable[[str], bytes]]] = {"sound": sound, "sticker": sticker}


class LabelledFiles:
    """Serves them, and knows their labels by their hashes. Made by `open_labelled_files`."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self.port = 0

    def url(self, form: str, label: str) -> str:
        """Return where a file with this label is."""
        self._labels[hashlib.sha256(FORMS[form](label)).hexdigest()] = label
        return f"http://{LOOPBACK}:{self.port}/{form}/{quote(label)}"

    def label(self, sha256: str) -> str:
        """Return the label of the file with this hash; "" if there is none."""
        return self._labels.get(sha256, "")

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            _, form, label = head.split(b" ")[1].decode().split("/")
            data = FORMS[form](unquote(label))
            lines = ("HTTP/1.1 200 OK", f"Content-Length: {len(data)}", "Connection: close")
            writer.write("\r\n".join((*lines, "", "")).encode() + data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def open_labelled_files() -> AsyncIterator[LabelledFiles]:
    """Serve files on loopback."""
    files = LabelledFiles()
    server = await asyncio.start_server(files.answer, LOOPBACK, 0)
    files.port = server.sockets[0].getsockname()[1]
    async with server:
        yield files


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _page(number: int, kind: int, position: int, packets: Sequence[bytes]) -> bytes:
    """Return a page of an Ogg file."""
    lacing = bytes(part for packet in packets for part in _lacing(len(packet)))
    head = struct.pack("<4sBBqIII", b"OggS", 0, kind, position, 1, number, 0)
    page = head + bytes([len(lacing)]) + lacing + b"".join(packets)
    return page[:22] + struct.pack("<I", _checksum(page)) + page[26:]


def _lacing(size: int) -> Iterator[int]:
    while size >= 255:  # noqa: PLR2004 - the largest that a byte says
        yield 255
        size -= 255
    yield size


def _checksum(page: bytes) -> int:
    """Return Ogg's check sum: the usual polynomial, the bits the other way round."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
        value &= 0xFFFFFFFF
    return value
