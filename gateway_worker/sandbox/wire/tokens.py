"""The dictionary of the binary stanza form, read out of the client library's own file.

Clients replace frequent strings by one or two bytes. The tables are static data of the native
library: arrays of Go string headers (address, length) whose addresses the loader fills in from the
file's relocation table. Reading file and relocations gives the tables without loading the
library, so the sandbox starts no Go runtime and can never drift from the library in use.
"""

from __future__ import annotations

import importlib.util
import struct
from array import array
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

FIRST_SINGLE: Final = b"xmlstreamstart"
DOUBLE_TABLES: Final = 4
DOUBLE_ENTRIES: Final = 256
SINGLE_ENTRIES: Final = 236
MAX_TOKEN_BYTES: Final = 64

_PT_LOAD: Final = 1
_PT_DYNAMIC: Final = 2
_DT_RELA: Final = 7
_DT_RELASZ: Final = 8
_PROGRAM_HEADER: Final = struct.Struct("<IIQQQQQQ")
_PAIR: Final = struct.Struct("<QQ")
_WORD: Final = struct.Struct("<Q")


class TokenTableError(RuntimeError):
    """The native library was not found, or its token tables are not where they are expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The dictionary.

    Attributes:
        single: strings of the one-byte tokens, index = byte; 0 is unused.
        double: four tables of 256 strings; the first byte picks the table.
    """

    single: tuple[str, ...]
    double: tuple[tuple[str, ...], ...]


def load_tokens(library: Path | None = None) -> Tokens:
    """Read the tables; about 0.1 s the first time, then cached for this process.

    Args:
        library: the native library's file; the installed neonize package's when not given.

    Raises:
        TokenTableError: there is no library, or it holds no such tables.
    """
    path = library or find_library()
    return _load(path, path.stat().st_mtime_ns)


def find_library() -> Path:
    """Locate the native library of the installed neonize package without importing the package.

    Raises:
        TokenTableError: the package or the file is missing.
    """
    spec = importlib.util.find_spec("neonize")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in sorted(Path(folder).glob("neonize-*.so")):
            return path
    raise TokenTableError("the neonize package with a Linux library is not installed")


@lru_cache(maxsize=4)
def _load(path: Path, _modified: int) -> Tokens:
    image = _Image(path.read_bytes())
    return Tokens(single=_single(image), double=_double(image))


class _Image:
    """A little-endian 64-bit ELF file as the loader would lay it out."""

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01":
            raise TokenTableError("the native library is no little-endian 64-bit ELF file")
        self.data = data
        self._segments: list[tuple[int, int, int]] = []
        dynamic: dict[int, int] = {}
        start, size, count = (
            struct.unpack_from("<Q", data, 32)[0],
            *struct.unpack_from("<HH", data, 54),
        )
        for index in range(count):
            kind, _, offset, address, _, length, *_ = _PROGRAM_HEADER.unpack_from(
                data, start + index * size
            )
            if kind == _PT_LOAD:
                self._segments.append((offset, address, length))
            elif kind == _PT_DYNAMIC:
                dynamic = dict(_PAIR.iter_unpack(data[offset : offset + length]))
        self._pointers = self._relocations(dynamic)

    def _relocations(self, dynamic: dict[int, int]) -> dict[int, int]:
        words = array("Q")
        at = self.offset(dynamic.get(_DT_RELA, 0))
        words.frombytes(self.data[at : at + dynamic.get(_DT_RELASZ, 0)])
        return dict(zip(words[0::3], words[2::3], strict=True))

    def offset(self, address: int) -> int:
        for offset, start, length in self._segments:
            if start <= address < start + length:
                return address - start + offset
        return -1

    def address(self, offset: int) -> int:
        for start, address, length in self._segments:
            if start <= offset < start + length:
                return offset - start + address
        return -1

    def pointer(self, address: int) -> int:
        return self._pointers.get(address, -1)

    def pointers_to(self, target: int) -> list[int]:
        return [address for address, value in self._pointers.items() if value == target]

    def word(self, address: int) -> int:
        return int(_WORD.unpack_from(self.data, self.offset(address))[0])

    def string(self, header: int) -> str | None:
        """The Go string at a header's address, or `None` when there is none that could be one."""
        length, at = self.word(header + 8), self.offset(self.pointer(header))
        if not 0 < length <= MAX_TOKEN_BYTES or at < 0:
            return None
        try:
            return self.data[at : at + length].decode("ascii")
        except UnicodeDecodeError:
            return None

    def strings(self, address: int, limit: int) -> tuple[str, ...]:
        """Successive strings from an address on, until one is none."""
        found: list[str] = []
        while len(found) < limit and (text := self.string(address + 16 * len(found))) is not None:
            found.append(text)
        return tuple(found)


def _single(image: _Image) -> tuple[str, ...]:
    at = -1
    while (at := image.data.find(FIRST_SINGLE, at + 1)) >= 0:
        for header in image.pointers_to(image.address(at)):
            if image.word(header + 8) == len(FIRST_SINGLE):
                found = image.strings(header, SINGLE_ENTRIES - 1)
                if len(found) == SINGLE_ENTRIES - 1:
                    return ("", *found)
    raise TokenTableError("no table of single-byte tokens in the native library")


def _double(image: _Image) -> tuple[tuple[str, ...], ...]:
    sizes = _PAIR.pack(DOUBLE_ENTRIES, DOUBLE_ENTRIES)
    at = -1
    while (at := image.data.find(sizes, at + 1)) >= 0:
        slices = [image.address(at) - 8 + 24 * index for index in range(DOUBLE_TABLES)]
        tables = [image.pointer(header) for header in slices]
        if min(tables) < 0:
            continue
        found = tuple(image.strings(table, DOUBLE_ENTRIES) for table in tables)
        if all(len(table) == DOUBLE_ENTRIES for table in found):
            return found
    raise TokenTableError("no tables of double-byte tokens in the native library")
