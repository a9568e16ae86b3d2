"""Rows of a bulk whose recipients have quiet hours: those behind them go first."""

from collections.abc import Sequence
from typing import Final

from gateway_worker.commands.deferrals import RowBody

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one bulk; some ten thousand rows of the usual size."""
_ROW_BYTES: Final = 300
"""What a row takes beside its body."""


class RowsAside:
    """Keeps rows until their time, in memory: the database has them as waiting.

    Args:
        most_bytes: See `MOST_BYTES`.
    """

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._rows: dict[int, tuple[float, RowBody]] = {}
        self._bytes = 0
        self._earliest = 0.0
        self._under: object = None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._rows)

    def __contains__(self, row: int) -> bool:
        """Whether a row is here."""
        return row in self._rows

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another one."""
        return self._bytes >= self._most_bytes

    def put(self, row: RowBody, *, until: float) -> None:
        """Keep a row until a time, by the loop's clock."""
        self._earliest = min(self._earliest, until) if self._rows else until
        self._rows[row.row] = until, row
        self._bytes += len(row.body) + _ROW_BYTES

    def take(self, at: float, *, under: object) -> Sequence[RowBody]:
        """Take out the rows whose time has come, in order.

        Args:
            at: Now, by the loop's clock.
            under: What says when it is quiet; if that is another object than the last time, the
                time of all has come.
        """
        everything, self._under = under is not self._under, under
        if not self._rows or not (everything or self._earliest <= at):
            return ()
        due = [row for until, row in self._rows.values() if everything or until <= at]
        for row in due:
            del self._rows[row.row]
            self._bytes -= len(row.body) + _ROW_BYTES
        self._earliest = min((until for until, _ in self._rows.values()), default=0.0)
        return sorted(due, key=lambda row: row.row)

    def clear(self) -> None:
        """Forget them: they are read anew."""
        self._rows.clear()
        self._bytes = 0
