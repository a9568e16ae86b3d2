"""Stanzas to bytes and back.

Writing uses plain strings only, which every client accepts; reading understands all that clients
write: dictionary tokens, packed digits and hexadecimal, addresses, compressed frames.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.jid import LID_SERVER, PN_SERVER, Jid
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.wire.tokens import Tokens

MAX_FRAME_BYTES: Final = 1 << 24
COMPRESSED: Final = 2

_LIST_EMPTY: Final = 0
_DICTIONARY_0: Final = 236
_DICTIONARY_3: Final = 239
_INTEROP_JID: Final = 245
_FB_JID: Final = 246
_AD_JID: Final = 247
_LIST_8: Final = 248
_LIST_16: Final = 249
_JID_PAIR: Final = 250
_HEX_8: Final = 251
_BINARY_8: Final = 252
_BINARY_20: Final = 253
_BINARY_32: Final = 254
_NIBBLE_8: Final = 255
_LISTS: Final = frozenset((_LIST_EMPTY, _LIST_8, _LIST_16))

_ONE_BYTE: Final = 0xFF
_DIGITS: Final = "0123456789-.\0\0\0\0"
_NIBBLES: Final = tuple(high + low for high in _DIGITS for low in _DIGITS)
_HEX: Final = tuple(f"{byte:02X}" for byte in range(256))
_DOMAINS: Final = {0: PN_SERVER, 1: LID_SERVER, 128: "hosted", 129: "hosted.lid"}
_DOMAIN_OF: Final = {server: number for number, server in _DOMAINS.items()}


def encode(node: Node) -> bytes:
    """Write a stanza as the payload of a transport frame (flag byte first, not compressed)."""
    out = bytearray(1)
    _write_node(out, node)
    return bytes(out)


def _write_node(out: bytearray, node: Node) -> None:
    content = node.content
    _write_list(out, 1 + 2 * len(node.attrs) + (content is not None))
    out += _string(node.tag)
    for name, value in node.attrs.items():
        out += _string(name)
        out += _address(value) if isinstance(value, Jid) else _string(value)
    if isinstance(content, bytes):
        out += _binary_header(len(content))
        out += content
    elif content is not None:
        _write_list(out, len(content))
        for child in content:
            _write_node(out, child)


def _write_list(out: bytearray, size: int) -> None:
    if size == 0:
        out.append(_LIST_EMPTY)
    elif size <= _ONE_BYTE:
        out += bytes((_LIST_8, size))
    else:
        out.append(_LIST_16)
        out += size.to_bytes(2, "big")


def _binary_header(size: int) -> bytes:
    if size <= _ONE_BYTE:
        return bytes((_BINARY_8, size))
    if size < 1 << 20:
        return bytes((_BINARY_20,)) + size.to_bytes(3, "big")
    return bytes((_BINARY_32,)) + size.to_bytes(4, "big")


@lru_cache(maxsize=4096)
def _string(text: str) -> bytes:
    data = text.encode()
    return _binary_header(len(data)) + data


@lru_cache(maxsize=4096)
def _address(jid: Jid) -> bytes:
    domain = _DOMAIN_OF.get(jid.server)
    if jid.device and domain is not None:
        return bytes((_AD_JID, domain, jid.device)) + _string(jid.user)
    user = _string(jid.user) if jid.user else bytes((_LIST_EMPTY,))
    return bytes((_JID_PAIR,)) + user + _string(jid.server)


class Decoder:
    """Reads stanzas with one dictionary."""

    def __init__(self, tokens: Tokens) -> None:
        """Keep the dictionary in the shape that decoding wants."""
        self._single = tokens.single
        self._double = tokens.double

    def decode(self, frame: bytes) -> Node:
        """Read the payload of a transport frame.

        Raises:
            WireError: it is no stanza.
        """
        if not frame:
            raise WireError("empty frame")
        body = _inflate(frame) if frame[0] & COMPRESSED else frame
        try:
            node, end = self._node(body, 1)
        except (IndexError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"malformed stanza: {error}") from error
        if end != len(body):
            raise WireError(f"{len(body) - end} bytes after the stanza")
        return node

    def _node(self, data: bytes, at: int) -> tuple[Node, int]:
        size, at = _list_size(data, at)
        if size == 0:
            raise WireError("an element of size 0")
        tag, at = self._text(data, at)
        attrs: dict[str, str | Jid] = {}
        for _ in range((size - 1) >> 1):
            name, at = self._text(data, at)
            value, at = self._value(data, at)
            attrs[name] = value.decode() if isinstance(value, bytes) else value
        if size & 1:
            return Node(tag, attrs), at
        if data[at] in _LISTS:
            count, at = _list_size(data, at)
            children: list[Node] = []
            for _ in range(count):
                child, at = self._node(data, at)
                children.append(child)
            return Node(tag, attrs, tuple(children)), at
        content, at = self._value(data, at)
        return Node(
            tag, attrs, content if isinstance(content, bytes) else str(content).encode()
        ), at

    def _text(self, data: bytes, at: int) -> tuple[str, int]:
        kind = data[at]
        # Nearly every tag and attribute name is a one-byte token.
        if kind < _DICTIONARY_0:
            return self._single[kind], at + 1
        value, at = self._value(data, at)
        return (value.decode() if isinstance(value, bytes) else str(value)), at

    def _value(self, data: bytes, at: int) -> tuple[str | bytes | Jid, int]:
        kind = data[at]
        at += 1
        if kind < _DICTIONARY_0:
            return self._single[kind], at
        if kind == _BINARY_8:
            return _take(data, at + 1, data[at])
        if kind <= _DICTIONARY_3:
            return self._double[kind - _DICTIONARY_0][data[at]], at + 1
        if kind in (_NIBBLE_8, _HEX_8):
            return _unpack(data, at, _NIBBLES if kind == _NIBBLE_8 else _HEX)
        if kind in (_BINARY_20, _BINARY_32):
            width = 3 if kind == _BINARY_20 else 4
            return _take(data, at + width, int.from_bytes(data[at : at + width], "big"))
        return self._jid(kind, data, at)

    def _jid(self, kind: int, data: bytes, at: int) -> tuple[Jid, int]:
        if kind == _AD_JID:
            domain, device = data[at], data[at + 1]
            user, at = self._text(data, at + 2)
            server = _DOMAINS.get(domain)
            if server is None:
                raise WireError(f"unknown address domain {domain}")
            return Jid(user, server, device), at
        if kind == _JID_PAIR:
            user, at = self._text(data, at)
            server, at = self._text(data, at)
            return Jid(user, server), at
        if kind in (_FB_JID, _INTEROP_JID):
            user, at = self._text(data, at)
            device = int.from_bytes(data[at : at + 2], "big")
            server, at = self._text(data, at + (2 if kind == _FB_JID else 4))
            return Jid(user, server, device), at
        raise WireError(f"unexpected type byte {kind}")


def _inflate(frame: bytes) -> bytes:
    engine = zlib.decompressobj()
    try:
        body = engine.decompress(frame[1:], MAX_FRAME_BYTES)
    except zlib.error as error:
        raise WireError(f"broken compression: {error}") from error
    if engine.unconsumed_tail:
        raise WireError("compressed frame is too large")
    return b"\0" + body


def _list_size(data: bytes, at: int) -> tuple[int, int]:
    kind = data[at]
    if kind == _LIST_8:
        return data[at + 1], at + 2
    if kind == _LIST_EMPTY:
        return 0, at + 1
    if kind == _LIST_16:
        return (data[at + 1] << 8) | data[at + 2], at + 3
    raise WireError(f"type byte {kind} where a list should start")


def _take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    end = at + size
    if end > len(data):
        raise WireError("string runs past the end of the frame")
    return data[at:end], end


def _unpack(data: bytes, at: int, alphabet: tuple[str, ...]) -> tuple[str, int]:
    start = data[at]
    packed, end = _take(data, at + 1, start & 0x7F)
    text = "".join(map(alphabet.__getitem__, packed))
    if start & 0x80:
        text = text[:-1]
    if "\0" in text:
        raise WireError("not a digit in packed digits")
    return text, end
