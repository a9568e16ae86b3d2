"""TLS to services, with certificates that may be replaced while the worker runs."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import structlog

log = structlog.get_logger(__name__)

_Stamp = tuple[tuple[int, int, int], ...]
_UNREADABLE: Final = (OSError, ssl.SSLError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFiles:
    """What a client checks a server by, and what it shows it.

    Attributes:
        ca_file: Authorities that may have signed the server's certificate, as PEM; None: those that
            the system trusts.
        cert_file: The client's own certificate, with those between it and its authority; None: it
            has none.
        key_file: Its key; None: it is in `cert_file`.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files. Raises OSError (`ssl.SSLError` is one) if they cannot be used."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def stamp(self) -> _Stamp:
        """Return what is another one when a file has been replaced. Raises OSError."""
        files = (self.ca_file, self.cert_file, self.key_file)
        found = (path.stat() for path in files if path is not None)
        return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)


class RotatedContext(ssl.SSLContext):
    """Reads its files anew for the next connection when one of them has been replaced.

    Connections that there are keep what they were made with. While the files cannot be used, as in
    the middle of a replacement, those that were read last are.

    Args:
        files: Which.

    Raises:
        OSError: They cannot be used.
    """

    def __new__(cls, files: ClientFiles) -> Self:
        """Make one for clients; what it has itself is used for no connection."""
        del files
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, files: ClientFiles) -> None:
        self._files = files
        self._stamp = files.stamp()
        self._present = files.context()

    def load_verify_locations(self, *args: Any, **options: Any) -> None:
        """Do nothing, though libraries wish it: `files` say whom it trusts."""

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin a connection of asyncio's."""
        return self._newest().wrap_bio(*args, **options)

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        """Begin a connection that blocks."""
        return self._newest().wrap_socket(*args, **options)

    def _newest(self) -> ssl.SSLContext:
        try:
            stamp = self._files.stamp()
            if stamp != self._stamp:
                self._present, self._stamp = self._files.context(), stamp
                log.info("tls.reloaded")
        except _UNREADABLE as error:
            log.warning("tls.not_reloaded", detail=error.strerror)
        return self._present
