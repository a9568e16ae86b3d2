"""Copies of device stores in memory; the port's tests run against them and the object store."""

from pathlib import Path

from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME
from gateway_worker.sessions.ports import DeviceSnapshots


class MemorySnapshots(DeviceSnapshots):
    """Keeps each session's newest copy, as the object store does. Faults are for who derives.

    Args:
        portable: Whether other workers can have them.
    """

    are_needed = True

    def __init__(self, *, portable: bool = True) -> None:
        self._is_portable = portable
        self._copies: dict[str, tuple[int, bytes]] = {}

    @property
    def are_portable(self) -> bool:
        """As it was said."""
        return self._is_portable

    def keep(self, session_id: str, *, epoch: int, content: bytes = b"") -> None:
        """Have a copy, whoever has made it."""
        self._copies[session_id] = (epoch, content)

    async def save(
        self, session_id: str, directory: Path, *, epoch: int = 0, again: bool = False
    ) -> bool:
        """Copy the store, unless a later owner has."""
        content = _content(directory)
        if epoch < self._newest(session_id):
            return False
        self.keep(session_id, epoch=epoch, content=content)
        return True

    async def holds(self, session_id: str, *, epoch: int) -> bool:
        """Look at the newest copy."""
        return self._newest(session_id) >= epoch

    async def restore(self, session_id: str, directory: Path, *, replace: bool = False) -> bool:
        """Write the newest copy, unless a store is there that is not to be replaced."""
        if session_id not in self._copies or (not replace and _has_store(directory)):
            return False
        _write(directory, self._copies[session_id][1])
        return True

    async def delete(self, session_id: str) -> None:
        """Forget the copies."""
        self._copies.pop(session_id, None)

    def _newest(self, session_id: str) -> int:
        return self._copies.get(session_id, (-1, b""))[0]


def _has_store(directory: Path) -> bool:
    return (directory / DEVICE_STORE_NAME).exists()


def _content(directory: Path) -> bytes:
    if not _has_store(directory):
        raise DependencyError("there is no device store")
    return (directory / DEVICE_STORE_NAME).read_bytes()


def _write(directory: Path, content: bytes) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / DEVICE_STORE_NAME).write_bytes(content)
