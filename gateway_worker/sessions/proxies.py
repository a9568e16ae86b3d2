"""The proxies of sessions: which are accepted, how they are kept, and where traffic goes.

Credentials are encrypted as soon as a command has brought them, under the key of the copies of
device stores, and are opened only where a connection is made.
"""

import base64
from collections.abc import Callable
from typing import Final, Protocol, TypeVar
from urllib.parse import quote

from gateway_contracts import Proxy, SessionSettings
from gateway_worker.errors import (
    InvalidCommandError,
    PermanentError,
    UnsupportedError,
    UpstreamTimeoutError,
)
from gateway_worker.media.fetching.resolving import SystemResolver
from gateway_worker.sessions.proxy_addresses import (
    PUBLIC_ONLY,
    ProxyAddresses,
    ProxyUnusableError,
)

_LONGEST: Final = 4_096
"""Of an encrypted password: it has to be a password by the contract again."""
Given = TypeVar("Given", bound=SessionSettings)


class Seal(Protocol):
    """Encrypts what nobody may read who can only read the database."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt; `context` says whose data it is and is needed to open it."""
        ...

    def open(self, envelope: bytes, *, context: str) -> bytes:
        """Decrypt. Raises `PermanentError` if it cannot be."""
        ...


class Proxies:
    """Keeps and opens what leads to sessions' proxies.

    Args:
        seal: Encrypts; None if there is no key.
        otherwise: The proxy of sessions that have none of their own: that of a sandbox.
        addresses: Says where proxies may be; at public addresses only, if nothing is given.
    """

    def __init__(
        self,
        *,
        seal: Seal | None = None,
        otherwise: str | None = None,
        addresses: ProxyAddresses | None = None,
    ) -> None:
        self._seal = seal
        self._otherwise = otherwise
        self._addresses = addresses or ProxyAddresses(
            permissions=PUBLIC_ONLY, resolver=SystemResolver()
        )
        self._settings_of: Callable[[str], SessionSettings | None] = lambda _session_id: None

    def serve(self, settings_of: Callable[[str], SessionSettings | None]) -> None:
        """Learn what the sessions here are set to; None: a session is not here."""
        self._settings_of = settings_of

    async def accepted(self, session_id: str, given: Given) -> Given:
        """Return settings that a command gives as they are kept: with credentials encrypted.

        Raises:
            UnsupportedError: They cannot be.
            InvalidCommandError: They are too long, or no proxy may be where this one is.
        """
        if given.proxy is not None and given.proxy.url is not None:
            await self._addresses.check(given.proxy.url)
        return self._sealed(session_id, given)

    def _sealed(self, session_id: str, given: Given) -> Given:
        proxy = given.proxy
        if proxy is None or (proxy.username is None and proxy.password is None):
            return given
        if self._seal is None:
            raise UnsupportedError(
                "the credentials of a proxy cannot be kept: the gateway has no SNAPSHOT_KEYS"
            )
        plain = f"{quote(proxy.username or '', safe='')}:{quote(proxy.password or '', safe='')}"
        envelope = self._seal.seal(plain.encode(), context=_context(session_id))
        kept = base64.b64encode(envelope).decode()
        if len(kept) > _LONGEST:
            raise InvalidCommandError("it is too long", pointer="/data/proxy/password")
        return given.model_copy(update={"proxy": Proxy(url=proxy.url, password=kept)})

    async def url_of(self, session_id: str, settings: SessionSettings) -> str | None:
        """Return the URL of a session's proxy, with its credentials; None if it has none.

        It names an address that was looked at.

        Raises:
            ProxyUnusableError: The credentials cannot be read, or no connection may go there.
        """
        proxy = settings.proxy
        if proxy is None or proxy.url is None:
            return self._otherwise
        credentials = self._credentials(session_id, proxy)
        url = await self._addresses.resolved(proxy.url)
        return url if credentials is None else url.replace("//", f"//{credentials}@", 1)

    def _credentials(self, session_id: str, proxy: Proxy) -> str | None:
        if proxy.password is None:
            return None
        if self._seal is None:
            raise ProxyUnusableError("the key of its proxy's credentials is not given")
        try:
            envelope = base64.b64decode(proxy.password)
            return self._seal.open(envelope, context=_context(session_id)).decode()
        except (PermanentError, ValueError) as error:
            raise ProxyUnusableError("its proxy's credentials cannot be read") from error

    async def of(self, session_id: str) -> str | None:
        """Return the URL of the proxy of a session of this worker; None if it has none.

        Raises:
            UpstreamTimeoutError: Nobody knows which one that is, or nothing can go through it as
                things are: nothing may go without it.
        """
        settings = self._settings_of(session_id)
        if settings is None:
            raise UpstreamTimeoutError("the session is not here, so its proxy is not known")
        try:
            return await self.url_of(session_id, settings)
        except ProxyUnusableError as error:
            raise UpstreamTimeoutError(error.detail) from error


def _context(session_id: str) -> str:
    return f"proxy/{session_id}"
