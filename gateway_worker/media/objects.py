"""What outgoing files need of the bucket; `storage.objects.streams` implements it."""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Final, Protocol

from gateway_contracts.tenants import tenant_of

UPLOADS: Final = "uploads/"
"""Below it is what backends have put there themselves."""


def uploads_of(session_id: str) -> str:
    """Return what the keys begin with of files that were put there for a session's tenant."""
    tenant = tenant_of(session_id)
    return UPLOADS if tenant is None else f"{UPLOADS}{tenant}/"


def may_read(session_id: str, key: str) -> bool:
    """Tell whether a session may send an object of the bucket, as far as its tenant goes."""
    tenant = tenant_of(session_id)
    mine = (f"media/{tenant}.", f"shared/{tenant}/", uploads_of(session_id))
    return tenant is None or key.startswith(mine)


class ObjectHead(Protocol):
    """What the store says of an object without its content."""

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        ...

    @property
    def content_type(self) -> str:
        """What whoever wrote it says that it is."""
        ...

    @property
    def modified_at(self) -> datetime:
        """When it was written, by the store's clock."""
        ...


class PresignedPut(Protocol):
    """Where anybody can write one object for a while."""

    @property
    def url(self) -> str:
        """Where; whoever knows it may write, so it is in no log."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What the request has to say, exactly."""
        ...


class ObjectReader(Protocol):
    """Reads objects by key. Every call may raise `DependencyError`."""

    async def head(self, key: str) -> ObjectHead | None:
        """Return what the store says of an object; None if there is none."""
        ...

    def read(self, key: str, *, size_bytes: int | None = None) -> AsyncGenerator[bytes, None]:
        """Return an object piece by piece; leave early with `contextlib.aclosing` only.

        Args:
            key: Which one.
            size_bytes: How large it is, if that is known: what is not is something else.
        """
        ...


class UploadStore(Protocol):
    """Lets others write objects, and forgets them. Every call may raise `DependencyError`."""

    async def head(self, key: str) -> ObjectHead | None:
        """Return what the store says of an object; None if there is none."""
        ...

    async def presign_put(
        self,
        key: str,
        *,
        content_type: str,
        size_bytes: int,
        valid_seconds: int,
        sha256: str | None = None,
    ) -> PresignedPut:
        """Return where anybody can write an object: of this type, size and hash, and no other."""
        ...

    async def abort_unfinished(self, prefix: str = "", *, before: datetime | None = None) -> None:
        """Abort what was begun to be written before that, and never completed."""
        ...

    async def delete_prefix(self, prefix: str, *, before: datetime | None = None) -> int:
        """Remove what begins so and was written before; returns how many objects there were."""
        ...
