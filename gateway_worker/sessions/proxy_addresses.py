"""Where sessions' proxies may be, by what the operator permits and the addresses their names have.

A name is resolved here and a connection goes to an address that was looked at, so that it does not
matter what the name means to whoever connects. What is plain HTTP does not need the name.
"""

import asyncio
import random
from typing import Final

from gateway_worker.errors import (
    GatewayError,
    InvalidCommandError,
    MediaRefusedError,
    PermanentError,
)
from gateway_worker.media.fetching.permissions import Permissions
from gateway_worker.media.fetching.resolving import Resolver
from gateway_worker.media.fetching.urls import bracketed, parse

POINTER: Final = "/data/proxy/url"
SCHEME: Final = "http"
PUBLIC_ONLY: Final = Permissions(allowed=(), private=(), ports=None, scheme=SCHEME)
_RESOLVE_SECONDS: Final = 5.0


class ProxyUnusableError(PermanentError):
    """Nothing can go through a session's proxy as things are, and nothing may go without it."""


class ProxyAddresses:
    """Checks and resolves the URLs of proxies.

    Args:
        permissions: Where they may be.
        resolver: Finds the addresses of names.
    """

    def __init__(self, *, permissions: Permissions, resolver: Resolver) -> None:
        self._permissions = permissions
        self._resolver = resolver

    async def check(self, url: str) -> None:
        """Refuse a proxy that a command names.

        A name that cannot be resolved now passes: it is looked at before each connection.

        Raises:
            InvalidCommandError: No proxy may be there.
        """
        try:
            await self._found(url)
        except MediaRefusedError as error:
            raise InvalidCommandError(error.detail, pointer=POINTER) from error
        except (GatewayError, TimeoutError):
            return

    async def resolved(self, url: str) -> str:
        """Return the URL of a proxy with an address that it may have in place of its name.

        One of several is drawn each time, of IPv4 if there are any: one that is dead is not tried
        for ever.

        Raises:
            ProxyUnusableError: No proxy may be there, or nobody knows where that is.
        """
        try:
            return await self._found(url)
        except GatewayError as error:
            raise ProxyUnusableError(f"its proxy: {error.detail}") from error
        except TimeoutError as error:
            raise ProxyUnusableError("its proxy: the name cannot be resolved now") from error

    async def _found(self, url: str) -> str:
        target = parse(url)
        self._permissions.check_target(target)
        if target.address is not None:
            self._permissions.check_address(target, target.address)
            return f"{SCHEME}://{bracketed(target.host)}:{target.port}"
        async with asyncio.timeout(_RESOLVE_SECONDS):
            # One that nobody answers for is to hold up none of the others.
            addresses = await self._resolver.resolve(target.host, owner=target.host)
        for address in addresses:
            self._permissions.check_address(target, address)
        same = [address for address in addresses if address.version == addresses[0].version]
        drawn = random.choice(same)  # noqa: S311 - no secret
        return f"{SCHEME}://{bracketed(str(drawn))}:{target.port}"
