"""Finds the addresses of a name, in threads of its own."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final, Protocol

from gateway_worker.errors import MediaSourceError, MediaUnavailableError
from gateway_worker.media.fetching.addresses import IPAddress

_THREADS: Final = 4
"""A resolver that is silent holds one for as long as it likes, so they are nobody else's."""
_NO_SUCH_NAME: Final = frozenset(
    {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
)


class Resolver(Protocol):
    """Finds the addresses of a name."""

    async def resolve(self, name: str) -> Sequence[IPAddress]:
        """Return every address of a name, at least one.

        Raises:
            MediaUnavailableError: There is no such name.
            MediaSourceError: That cannot be found out now.
        """
        ...

    def close(self) -> None:
        """Wait for nothing more."""
        ...


class SystemResolver(Resolver):
    """Asks as every program of this machine does."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="media-resolver")

    async def resolve(self, name: str) -> Sequence[IPAddress]:
        """Return every address of a name, IPv4 first: it is routed everywhere."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _look_up, name)
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                raise MediaUnavailableError(f"there is no host {name}") from error
            raise MediaSourceError(f"the name {name} cannot be resolved now") from error
        except UnicodeError as error:
            raise MediaUnavailableError(f"there is no host {name}") from error
        return sorted(found, key=lambda address: address.version)

    def close(self) -> None:
        """Let the threads end when they have been answered."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(name: str) -> list[IPAddress]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(address[0]) for *_, address in found))
