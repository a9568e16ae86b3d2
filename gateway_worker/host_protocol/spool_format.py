"""How the spool of a session's arrivals is written: records in segments, and an acknowledgement.

A host writes and reads it; the worker looks at the spool of a host that is gone.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HEADER: Final = struct.Struct("<IIQBB")
"""Checksum of the rest, length of the payload, number, code, flags; the payload follows."""
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024
ACK: Final = struct.Struct("<QI")
"""The highest acknowledged number and its checksum: all of the file `spool.ack`."""
_CHECKSUM_BYTES: Final = 4
_NUMBER_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A spooled event: what the library handed over, as it was.

    Attributes:
        number: Its place, from 1 and without gaps.
        code: The library's number of the event.
        flags: What else is to be known of it.
        payload: The event as the library wrote it.
    """

    number: int
    code: int
    flags: int
    payload: bytes


def header_of(number: int, code: int, flags: int, payload: bytes) -> bytes:
    """Return what goes in front of a payload."""
    header = HEADER.pack(0, len(payload), number, code, flags)
    return HEADER.pack(_checksum(header, payload), len(payload), number, code, flags)


def payload_bytes(header: bytes) -> int | None:
    """Return how long the payload after a header is; None if that is no header."""
    if len(header) < HEADER.size:
        return None
    length: int = HEADER.unpack(header)[1]
    return length if length <= MAX_PAYLOAD_BYTES else None


def record_of(header: bytes, payload: bytes) -> Record | None:
    """Return the record of a header and what follows it; None if it is not whole."""
    checksum, length, number, code, flags = HEADER.unpack(header)
    if len(payload) < length or _checksum(header, payload) != checksum:
        return None
    return Record(number=number, code=code, flags=flags, payload=payload)


def records_in(segment: bytes) -> Iterator[Record]:
    """Yield the records of a segment, up to the first that is not whole."""
    offset = 0
    while True:
        header = segment[offset : offset + HEADER.size]
        length = payload_bytes(header)
        if length is None:
            return
        offset += HEADER.size
        record = record_of(header, segment[offset : offset + length])
        if record is None:
            return
        offset += length
        yield record


def ack_of(number: int) -> bytes:
    """Return an acknowledgement's bytes."""
    return ACK.pack(number, zlib.crc32(number.to_bytes(_NUMBER_BYTES, "little")))


def acknowledged_in(packed: bytes) -> int:
    """Return the highest acknowledged number; 0 if that cannot be read."""
    if len(packed) < ACK.size:
        return 0
    number, checksum = ACK.unpack_from(packed)
    return int(number) if checksum == zlib.crc32(packed[:_NUMBER_BYTES]) else 0


def _checksum(header: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(header[_CHECKSUM_BYTES:]))
