"""The bulks of which this worker hands on nothing, whatever their state in the database."""

from collections.abc import Callable
from typing import TypeAlias

BulkKey: TypeAlias = tuple[str, str]
"""A session's id, and the id of a bulk of it."""


class HeldBulks:
    """Bulks that are held, each under the epoch that its session had when that was said.

    A session that has been elsewhere comes back with another epoch: its bulks may have been resumed
    there, and only the database knows.

    Args:
        epoch_of: Returns the epoch of a session of this worker; None if it is not here.
    """

    def __init__(self, epoch_of: Callable[[str], int | None]) -> None:
        self._epoch_of = epoch_of
        self._epochs: dict[BulkKey, int] = {}

    def add(self, key: BulkKey) -> None:
        """Hold a bulk, if its session is here."""
        epoch = self._epoch_of(key[0])
        if epoch is not None:
            self._epochs[key] = epoch

    def discard(self, key: BulkKey) -> None:
        """Hold it no longer."""
        self._epochs.pop(key, None)

    def __contains__(self, key: BulkKey) -> bool:
        """Whether a bulk is held, under the epoch that its session has now."""
        epoch = self._epochs.get(key)
        return epoch is not None and epoch == self._epoch_of(key[0])

    def forget_former(self) -> None:
        """Forget those of sessions that are not here, or are here anew."""
        self._epochs = {key: epoch for key, epoch in self._epochs.items() if key in self}
