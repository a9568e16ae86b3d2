"""Bounds how many connections the library has to a database of device stores.

The library's pool has no bound that could be set from outside: it opens a connection for whatever
runs at the same time, over a dozen at times, and a server that refuses one costs a message. So its
connections lead through here, as bytes: one too many is made and then waits until another ends. TLS
is between the library and the server, and nothing of it is known here.
"""

import re
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

POSTGRESQL_PORT: Final = 5432
CONNECT_SECONDS: Final = 10.0
_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 128
_BLOCK_BYTES: Final = 65_536
_HOST: Final = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]*)(?::(?P<port>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A gate that is open until the process ends.

    Attributes:
        url: What to give to the library.
        ports: Connections of this process from or to these ports are the database's.
    """

    url: str
    ports: frozenset[int]


def open_gate(url: str, *, limit: int) -> Gate:
    """Let the library reach the servers of a URL over at most `limit` connections.

    A URL that names its servers by parameters (`?host=/var/run/postgresql`) is left as it is.

    Raises:
        OSError: There is no port to listen on.
    """
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    credentials, at, hosts = parts.netloc.rpartition("@")
    servers = [_server(host) for host in hosts.split(",")]
    if parameters.keys() & {"host", "hostaddr", "port"} or not all(host for host, _ in servers):
        return Gate(url=url, ports=frozenset(port for _, port in servers))
    slots = threading.Semaphore(limit)
    ports = [_listen(server, slots) for server in servers]
    names = [f"[{host}]" if ":" in host else host for host, _ in servers]
    gated = ",".join(f"{name}:{port}" for name, port in zip(names, ports, strict=True))
    # The names stay, for the server's certificate has them.
    parameters["hostaddr"] = ",".join([_LOOPBACK] * len(servers))
    query = urlencode(parameters, quote_via=quote, safe=",")
    return Gate(
        url=urlunsplit((parts.scheme, credentials + at + gated, parts.path, query, "")),
        ports=frozenset([*ports, *(port for _, port in servers)]),
    )


def _server(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None:
        return "", POSTGRESQL_PORT
    return found["host"].strip("[]"), int(found["port"] or POSTGRESQL_PORT)


def _listen(server: tuple[str, int], slots: threading.Semaphore) -> int:
    listener = socket.create_server((_LOOPBACK, 0), backlog=_BACKLOG)
    _start(_accept, listener, server, slots)
    port: int = listener.getsockname()[1]
    return port


def _start(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, name="gate", daemon=True)
    thread.start()
    return thread


def _accept(listener: socket.socket, server: tuple[str, int], slots: threading.Semaphore) -> None:
    while True:
        select.select([listener], [], [])
        slots.acquire()
        inside, _ = listener.accept()
        _start(_join, inside, server, slots)


def _join(inside: socket.socket, server: tuple[str, int], slots: threading.Semaphore) -> None:
    """Carry bytes both ways until one side ends."""
    try:
        with inside, socket.create_connection(server, timeout=CONNECT_SECONDS) as outside:
            outside.settimeout(None)
            for end in (inside, outside):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = _start(_carry, outside, inside)
            _carry(inside, outside)
            back.join()
    except OSError:
        pass  # the library sees its connection closed
    finally:
        slots.release()


def _carry(source: socket.socket, target: socket.socket) -> None:
    buffer = bytearray(_BLOCK_BYTES)
    view = memoryview(buffer)
    with suppress(OSError):
        while size := source.recv_into(buffer):
            target.sendall(view[:size])
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
