"""Which ports processes listen on, as the kernel tells it."""

import asyncio
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from gateway_worker.devkit.services.loopback import LOOPBACK

_LISTENS = "0A"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A socket that takes connections.

    Attributes:
        inode: By which those who hold it are found.
        user: Whose it is.
        port: Where it listens, on whichever address.
    """

    inode: int
    user: int
    port: int


def listeners() -> list[Listener]:
    """Return all of this machine's, or container's: IPv4 and IPv6."""
    return [one for name in ("tcp", "tcp6") for one in _read(Path(f"/proc/net/{name}"))]


def held_by(processes: Iterable[psutil.Process]) -> set[int]:
    """Return the inodes of all sockets that processes have open; of those that have ended none.

    Raises:
        PermissionError: The kernel does not let this process look into one of them.
    """
    return {inode for process in processes for inode in _sockets(process.pid)}


def held_by_nobody_who_can_be_seen() -> list[Listener]:
    """Return this user's listeners that are in no process that may be looked into.

    A worker and its hosts do not let others of their user look.
    """
    seen: set[int] = set()
    for pid in psutil.pids():
        try:
            seen |= set(_sockets(pid))
        except PermissionError:
            continue
    user = os.geteuid()
    return [one for one in listeners() if one.user == user and one.inode not in seen]


async def is_probe(port: int) -> bool:
    """Tell whether somebody answers at a port as workers' probes do."""
    try:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(b"GET /live HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return b"Server: gateway-worker" in answer


def _read(path: Path) -> Iterator[Listener]:
    if not path.exists():  # no IPv6
        return
    for line in path.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTENS:
            port = int(fields[1].rpartition(":")[2], 16)
            yield Listener(inode=int(fields[9]), user=int(fields[7]), port=port)


def _sockets(pid: int) -> Iterator[int]:
    descriptors = Path(f"/proc/{pid}/fd")
    try:
        places = list(descriptors.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return
    for place in places:
        try:
            target = str(place.readlink())
        except (FileNotFoundError, ProcessLookupError):
            continue  # closed meanwhile
        if target.startswith("socket:["):
            yield int(target.removeprefix("socket:[").removesuffix("]"))
