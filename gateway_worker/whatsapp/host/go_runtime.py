"""Gives the library's Go runtime room while a large file is uploaded.

A host's Go code runs on one processor, and its garbage is collected above a few dozen MiB. For a
session that sends messages both are right. Beside a file of 100 MiB a message waits for both: each
time the file is hashed, encrypted or copied is one step that Go does not interrupt, and the
collector, which the file alone keeps at work without a pause, has to stop everything and so waits
for these steps, too.

Go reads both settings when the library is loaded, and the library has no entry to change them. So
the runtime's own functions are called, by the entry through which C calls Go, and the limits are
written where the collector keeps them. The functions are found by their names in the table that Go
has for its stack traces, the limits by what stands beside them. Where anything is not found, or not
exactly once, nothing is changed, and messages wait as said.
"""

import ctypes
import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

PROCESSORS: Final = 2
COPIES: Final = 5
"""So often a file may be in memory at once, with what is left of the one before it."""
_ENTER: Final = b"crosscall2"
_SET_PROCESSORS: Final = b"runtime.GOMAXPROCS"
_COLLECT: Final = b"runtime.GC"
_TABLE: Final = b".gopclntab"
_TABLE_MAGIC: Final = 0xFFFFFFF1
"""The form of the table since Go 1.20."""
_SECTION: Final = struct.Struct("<IIQQQQ")
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")
_LOADED: Final = 1
_MAY_BE_WRITTEN: Final = 2
_FUNCTION: Final = struct.Struct("<II")
_LEAST_HEAP_BYTES: Final = 4 << 20
"""At a GOGC of 100."""
_GOAL_AT: Final = 72
"""Where the heap's goal stands, behind GOGC."""
_LIMIT_AT: Final = 8
_UNIT: Final = "MiB"
_MOST_BYTES: Final = 1 << 40


class NotThereError(LookupError):
    """The runtime is not as this module knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What the collector goes by; both are written as one word, which the processor does at once.

    Attributes:
        memory: Above so much it collects.
        goal: When the heap is so large it collects, until it has reckoned anew at its end.
    """

    memory: ctypes.c_int64
    goal: ctypes.c_uint64


@dataclass(frozen=True, slots=True, kw_only=True)
class GoLayout:
    """Where things are in the library, wherever that will be; made by `read`.

    Attributes:
        functions: By name, how far behind the first one.
        variables: Where they begin and end, counted from where the library begins.
    """

    functions: Mapping[bytes, int]
    variables: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read it from the library's file, for hosts, which need not be able to.

        Raises:
            NotThereError: It is not as it should be.
        """
        try:
            with path.open("rb") as file, _mapped(file.fileno()) as content:
                return cls(
                    functions=_functions(content, (_ENTER, _SET_PROCESSORS, _COLLECT)),
                    variables=tuple(_variables(content)),
                )
        except (OSError, ValueError, struct.error) as error:
            raise NotThereError("the library's file cannot be read") from error


class GoRuntime:
    """The runtime of the library in this process; made by `find`."""

    def __init__(self, *, enter: Any, set_processors: int, collect: int, limits: _Limits) -> None:
        self._enter = enter
        self._set_processors = set_processors
        self._collect = collect
        self._limits = limits

    @classmethod
    def find(cls, layout: GoLayout, *, enter: Any) -> Self:
        """Find what is needed of it.

        Args:
            layout: Of the library that is loaded.
            enter: Its entry for calls into Go.

        Raises:
            NotThereError: It is not as it should be.
        """
        address = ctypes.cast(enter, ctypes.c_void_p).value or 0
        first = address - layout.functions[_ENTER]
        begin = _beginning(address)
        prototype = ctypes.CFUNCTYPE(
            None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
        )
        return cls(
            enter=prototype(address),
            set_processors=first + layout.functions[_SET_PROCESSORS],
            collect=first + layout.functions[_COLLECT],
            limits=_limits([(begin + start, begin + end) for start, end in layout.variables]),
        )

    @contextmanager
    def room(self, file_bytes: int) -> Iterator[None]:
        """Let Go use more processors and memory for a file of this size while the block runs.

        Only one at a time.
        """
        before = self._limits.memory.value
        room = before + COPIES * file_bytes
        self._limits.memory.value = self._limits.goal.value = room
        self._enter(self._set_processors, PROCESSORS, 0, 0)
        try:
            yield
        finally:
            self._limits.memory.value = before
            self._enter(self._collect, None, 0, 0)  # it reckons its goal anew, too
            self._enter(self._set_processors, 1, 0, 0)


def _mapped(descriptor: int) -> mmap.mmap:
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)


def _functions(file: mmap.mmap, names: tuple[bytes, ...]) -> Mapping[bytes, int]:
    """Return where functions are, counted from the first one."""
    table = _table(file)
    magic, *_ = struct.unpack_from("<I", file, table)
    if magic != _TABLE_MAGIC:
        raise NotThereError("the table of functions has another form")
    count, _, _, names_at, _, _, _, entries_at = struct.unpack_from("<8Q", file, table + 8)
    names_at, entries_at = table + names_at, table + entries_at
    wanted = {file.find(b"\0%b\0" % name, names_at) + 1 - names_at: name for name in names}
    found = {}
    for place in range(entries_at, entries_at + count * _FUNCTION.size, _FUNCTION.size):
        entry, more_at = _FUNCTION.unpack_from(file, place)
        (name_at,) = struct.unpack_from("<i", file, entries_at + more_at + 4)
        if name_at in wanted:
            found[wanted[name_at]] = entry
    if set(found) != set(names):
        raise NotThereError("a function is missing")
    return found


def _table(file: mmap.mmap) -> int:
    """Return where the table of functions is in an ELF file."""
    (sections,) = struct.unpack_from("<Q", file, 0x28)
    size, count, names = struct.unpack_from("<HHH", file, 0x3A)
    headers = [_SECTION.unpack_from(file, sections + size * number) for number in range(count)]
    for name, _, _, _, offset, _ in headers:
        at = headers[names][4] + name
        if file[at : at + len(_TABLE) + 1] == _TABLE + b"\0":
            return int(offset)
    raise NotThereError("the library is not written in Go")


def _variables(file: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield where an ELF file's variables will be."""
    (at,) = struct.unpack_from("<Q", file, 0x20)
    size, count = struct.unpack_from("<HH", file, 0x36)
    for number in range(count):
        kind, rights, _, start, _, _, length, _ = _SEGMENT.unpack_from(file, at + size * number)
        if kind == _LOADED and rights & _MAY_BE_WRITTEN:
            yield start, start + length


class _Place(ctypes.Structure):
    """What the dynamic linker says of an address."""

    _fields_ = [
        ("path", ctypes.c_char_p),
        ("beginning", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("symbol_at", ctypes.c_void_p),
    ]


def _beginning(address: int) -> int:
    """Return where the library begins that an address is in."""
    look = ctypes.CDLL(None).dladdr
    look.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Place))
    place = _Place()
    if not look(address, ctypes.byref(place)):
        raise NotThereError("the library is not loaded")
    return int(place.beginning or 0)


def _limits(variables: Iterable[tuple[int, int]]) -> _Limits:
    """Find where the collector keeps its limits: behind GOGC, and before the smallest heap."""
    gogc, limit = (os.environ.get(name, "") for name in ("GOGC", "GOMEMLIMIT"))
    if not gogc.isdecimal() or not limit.endswith(_UNIT):
        raise NotThereError("the limits are not those that hosts have")
    least = _LEAST_HEAP_BYTES * int(gogc) // 100
    limit_bytes = int(limit.removesuffix(_UNIT)) << 20
    pattern = struct.pack("<iiqQ", int(gogc), 0, limit_bytes, least)
    hits = [hit for start, end in variables for hit in _hits(start, end, pattern)]
    if len(hits) != 1:
        raise NotThereError(f"the limits were found {len(hits)} times, once is expected")
    goal = ctypes.c_uint64.from_address(hits[0] + _GOAL_AT)
    if not least <= goal.value <= _MOST_BYTES:
        raise NotThereError("the heap's goal is not where it was expected")
    return _Limits(memory=ctypes.c_int64.from_address(hits[0] + _LIMIT_AT), goal=goal)


def _hits(start: int, end: int, pattern: bytes) -> Iterator[int]:
    search = ctypes.CDLL(None).memmem
    search.restype = ctypes.c_void_p
    search.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
    while (hit := search(start, end - start, pattern, len(pattern))) is not None:
        yield hit
        start = hit + 1
