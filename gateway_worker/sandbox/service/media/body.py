"""The bytes of a stored file, as they are sent: all of them, or with a fault in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECE_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What somebody gets who downloads a file.

    Attributes:
        path: where the bytes are.
        size: how many of them there are.
        flipped_at: the byte in which a bit is wrong; None is none.
    """

    path: Path
    size: int
    flipped_at: int | None = None

    def shortened(self, keep_bytes: int | None) -> Body:
        """Return the same without its end; None keeps half."""
        kept = self.size // 2 if keep_bytes is None else min(keep_bytes, self.size)
        return replace(self, size=kept)

    def damaged(self) -> Body:
        """Return the same with a flipped bit in the middle."""
        return replace(self, flipped_at=self.size // 2)

    def pieces(
        self, start: int = 0, stop: int | None = None, *, piece_bytes: int = PIECE_BYTES
    ) -> Iterator[bytes]:
        """Yield the bytes from one offset up to another.

        Args:
            start: offset of the first byte.
            stop: offset after the last one; None is the end.
            piece_bytes: how many of them at once.

        Raises:
            FileNotFoundError: the file was removed.
        """
        at, end = start, self.size if stop is None else min(stop, self.size)
        with self.path.open("rb") as file:
            file.seek(at)
            while at < end:
                piece = file.read(min(piece_bytes, end - at))
                if not piece:
                    return
                yield self._piece(piece, at)
                at += len(piece)

    def _piece(self, piece: bytes, at: int) -> bytes:
        wrong = self.flipped_at
        if wrong is None or not at <= wrong < at + len(piece):
            return piece
        inside = wrong - at
        return piece[:inside] + bytes([piece[inside] ^ 1]) + piece[inside + 1 :]
