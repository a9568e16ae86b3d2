"""Fetches a file by its URL: checks where it leads, connects only there, and writes what comes."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from gateway_worker.errors import (
    GatewayError,
    MediaRefusedError,
    MediaSourceError,
    MediaUnavailableError,
    UnsupportedError,
)
from gateway_worker.media.fetching.failures import of_error, of_status
from gateway_worker.media.fetching.permissions import Permissions
from gateway_worker.media.fetching.resolving import Resolver, SystemResolver
from gateway_worker.media.fetching.sink import Came, Sink
from gateway_worker.media.fetching.urls import Target, parse

CONNECT_SECONDS: Final = 5.0
"""For one address, TLS included."""
IDLE_SECONDS: Final = 15.0
"""The longest silence of a server."""
MAX_REDIRECTS: Final = 5
MAX_ADDRESSES: Final = 4
"""Of one name that are tried, one after the other."""

_REDIRECTS: Final = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)
_HEADERS: Final = {
    "User-Agent": "gateway-worker",
    "Accept": "*/*",
    # Nothing is unpacked: some bytes would become many.
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that was fetched.

    Attributes:
        size: In bytes.
        sha256: In hexadecimal digits.
        content_type: What the server calls it, without parameters; nothing to rely on.
        url: Where it was in the end; never to be logged.
    """

    size: int
    sha256: str
    content_type: str | None
    url: str = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressProxy:
    """The proxy through which all files are fetched.

    Attributes:
        url: Where it is, with what it wants to be told; reached as it is, without any check.
        resolves: Whether it is given names. It has to keep the worker's networks closed itself
            then; otherwise it is given addresses that were checked here.
    """

    url: str = field(repr=False)
    resolves: bool


@dataclass(frozen=True, slots=True)
class _Wanted:
    into: Path
    limit_bytes: int
    whole: bool
    came: Came
    owner: str


class Fetcher:
    """Fetches files; an asynchronous context manager.

    Args:
        permissions: Which hosts, ports and addresses.
        proxy: None to connect to servers themselves.
        resolver: Finds addresses.
        trust: Which certificates are trusted; None for those of the system.
        is_on: Whether anything is fetched at all.
    """

    def __init__(
        self,
        *,
        permissions: Permissions,
        proxy: EgressProxy | None = None,
        resolver: Resolver | None = None,
        trust: ssl.SSLContext | None = None,
        is_on: bool = True,
    ) -> None:
        self._is_on = is_on
        self._permissions = permissions
        self._proxy = None if proxy is None else URL(proxy.url)
        self._proxy_resolves = proxy is not None and proxy.resolves
        self._resolver = resolver or SystemResolver()
        self._trust = trust or ssl.create_default_context()

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ask for no more names."""
        self._resolver.close()

    async def fetch(
        self,
        url: str,
        *,
        owner: str,
        into: Path,
        limit_bytes: int,
        seconds: float,
        whole: bool = True,
        came: Came = lambda _size: None,
    ) -> Fetched:
        """Fetch a file.

        Args:
            url: Where it is, as a backend wrote it.
            owner: In whose turn its host's name is looked up; see `places.owner_of`.
            into: The path of the file, which does not exist yet; removed if anything fails.
            limit_bytes: How large it may be.
            seconds: How long that may take, with everything.
            whole: Whether a larger one is an error; else its beginning is enough.
            came: Told how many bytes have come, also of a file that is too large, or breaks off.

        Raises:
            UnsupportedError: Nothing is fetched here.
            MediaRefusedError: The worker does not go there.
            MediaTooLargeError: It is larger.
            MediaUnavailableError: It is not there.
            MediaSourceError: It cannot be had now.
            OSError: The file cannot be written.
        """
        if not self._is_on:
            raise UnsupportedError(
                "the gateway's operator has not switched on media_url (FEATURES)"
            )
        target = parse(url)
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(target, _Wanted(into, limit_bytes, whole, came, owner))
        except TimeoutError as error:
            raise MediaSourceError(
                f"the file of {target.host} did not come within {seconds:.0f} s"
            ) from error

    async def _follow(self, target: Target, wanted: _Wanted) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            step = await self._request(target, wanted)
            if isinstance(step, Fetched):
                return step
            target = step
        raise MediaRefusedError(f"there are more than {MAX_REDIRECTS} redirects")

    async def _request(self, target: Target, wanted: _Wanted) -> Fetched | Target:
        """Ask one server; return the file or where it sends us."""
        hosts = await self._hosts(target, wanted.owner)
        for host in hosts[:-1]:
            try:
                return await self._request_at(host, target, wanted)
            except _NotConnectedError:
                continue
        try:
            return await self._request_at(hosts[-1], target, wanted)
        except _NotConnectedError as error:
            raise error.meaning from error.__cause__

    async def _hosts(self, target: Target, owner: str) -> list[str]:
        """Return the checked addresses of a target, or its name if the proxy is to resolve it."""
        self._permissions.check_target(target)
        if target.address is not None:
            self._permissions.check_address(target, target.address)
            return [str(target.address)]
        if self._proxy_resolves:
            self._permissions.check_address(target, None)
            return [target.host]
        addresses = await self._resolver.resolve(target.host, owner=owner)
        for address in addresses:
            self._permissions.check_address(target, address)
        if not addresses:
            raise MediaUnavailableError(f"there is no host {target.host}")
        return [str(address) for address in addresses[:MAX_ADDRESSES]]

    async def _request_at(self, host: str, target: Target, wanted: _Wanted) -> Fetched | Target:
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=IDLE_SECONDS)
        connector = aiohttp.TCPConnector(
            ssl=self._trust,
            force_close=True,
            socket_factory=_any_socket if self._proxy is not None else _socket_to(host),
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        ) as session:
            try:
                async with session.get(
                    URL(target.url_at(host), encoded=True),
                    headers={**_HEADERS, "Host": target.host_header},
                    server_hostname=target.host,
                    allow_redirects=False,
                    proxy=self._proxy,
                ) as response:
                    return await _answer(response, target, wanted)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                raise _NotConnectedError(of_error(target.host, error)) from error
            except (aiohttp.ClientError, TimeoutError) as error:
                raise of_error(target.host, error) from error


class _NotConnectedError(Exception):
    """There is no connection to this address; another one may help.

    Args:
        meaning: What it means if there is none.
    """

    def __init__(self, meaning: GatewayError) -> None:
        super().__init__(meaning.detail)
        self.meaning = meaning


async def _answer(
    response: aiohttp.ClientResponse, target: Target, wanted: _Wanted
) -> Fetched | Target:
    if response.status in _REDIRECTS:
        location = response.headers.get("Location")
        if location is None:
            raise MediaUnavailableError(f"{target.host} redirects to nowhere")
        return target.follow(location)
    if response.status != HTTPStatus.OK:
        raise of_status(target.host, response.status)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise MediaRefusedError(f"{target.host} sends the file compressed")
    async with Sink(
        wanted.into, limit_bytes=wanted.limit_bytes, whole=wanted.whole, came=wanted.came
    ) as sink:
        sink.expect(response.content_length or 0)
        async for data in response.content.iter_any():
            await sink.write(data)
            if sink.is_full:
                break
        sha256 = await sink.finish()
    declared = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Fetched(
        size=sink.size,
        sha256=sha256,
        content_type=declared or None,
        url=target.url_at(target.host),
    )


def _socket_to(host: str) -> Callable[[Any], socket.socket]:
    """Return what makes sockets to one address and to no other, whatever the client resolves."""

    def make(info: tuple[Any, ...]) -> socket.socket:
        if info[4][0] != host:
            raise ConnectionRefusedError("not the address that was checked")
        return _any_socket(info)

    return make


def _any_socket(info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, *_ = info
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.settimeout(0)
    return made
