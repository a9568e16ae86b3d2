"""Finds the addresses of a name, in threads of its own."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, Protocol

from gateway_worker.errors import MediaSourceError, MediaUnavailableError
from gateway_worker.media.fetching.addresses import IPAddress
from gateway_worker.media.places import SharedPlaces

_THREADS: Final = 4
"""A resolver that is silent holds one for as long as it likes, so they are nobody else's."""
_NO_SUCH_NAME: Final = frozenset(
    {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
)


class Resolver(Protocol):
    """Finds the addresses of a name."""

    async def resolve(self, name: str, *, owner: str) -> Sequence[IPAddress]:
        """Return every address of a name, at least one.

        Args:
            name: The name.
            owner: In whose turn it is looked up; as a rule see `places.owner_of`.

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
        self._places = SharedPlaces(_THREADS)

    async def resolve(self, name: str, *, owner: str) -> Sequence[IPAddress]:
        """Return every address of a name, IPv4 first: it is routed everywhere."""
        await self._places.take(owner)
        try:
            found = await asyncio.wrap_future(self._look_up(name, owner))
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                raise MediaUnavailableError(f"there is no host {name}") from error
            raise MediaSourceError(f"the name {name} cannot be resolved now") from error
        except UnicodeError as error:
            raise MediaUnavailableError(f"there is no host {name}") from error
        return sorted(found, key=lambda address: address.version)

    def _look_up(self, name: str, owner: str) -> "Future[list[IPAddress]]":
        """Begin to ask; the place is the owner's until there is an answer, whoever waits for it."""
        loop = asyncio.get_running_loop()

        def give_back(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                loop.call_soon_threadsafe(self._places.give_back, owner)

        asked = self._threads.submit(_look_up, name)
        asked.add_done_callback(give_back)
        return asked

    def close(self) -> None:
        """Let the threads end when they have been answered."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(name: str) -> list[IPAddress]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(address[0]) for *_, address in found))
