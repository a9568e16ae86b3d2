"""Bodies that are too large are cut while they are read: they are never held whole.

The library gathers a message's body before anybody sees it, and it hands out many at once. So the
frames of a body that is longer than anything a worker reads are dropped as they come; in its place
goes a stand-in with its beginning (where its id may be), its size and its digest. A stand-in begins
with a secret of this process: nobody can publish a body that is taken for one.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

HEAD_BYTES = 65_536
"""How much of a body's beginning is kept. With the rest of the stand-in it fits into one frame."""
_SECRET = secrets.token_bytes(32)
_SIZE = slice(32, 40)
_DIGEST = slice(40, 72)
_FRONT_BYTES = 72
BODY_SIZE = slice(4, 12)
"""Where a header frame has the size of the body."""

Largest = Callable[[bytes], int]
"""Returns the size of the largest body that is read from an exchange, by the exchange's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is known of a body that was too large.

    Attributes:
        size: How many bytes it had.
        sha256: Its digest, in hexadecimal.
    """

    size: int
    sha256: str
    _stand_in: bytes = field(repr=False)

    @property
    def head(self) -> bytes:
        """The beginning of the body, as a copy."""
        return self._stand_in[_FRONT_BYTES:]


def read_cut(body: bytes) -> Cut | None:
    """Return what a body stands in for; None if it is one itself."""
    if not body.startswith(_SECRET):
        return None
    return Cut(
        size=int.from_bytes(body[_SIZE], "big"),
        sha256=body[_DIGEST].hex(),
        _stand_in=body,
    )


@dataclass(slots=True)
class _Passing:
    """A body on its way past."""

    size: int
    left: int
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    head: bytearray = field(default_factory=bytearray)


class Cutter:
    """Cuts the bodies of one connection's messages.

    Args:
        largest: Tells what is read.
    """

    def __init__(self, *, largest: Largest) -> None:
        self._largest = largest
        self._exchanges: dict[int, bytes] = {}
        self._passing: dict[int, _Passing] = {}

    def note_delivery(self, channel: int, exchange: bytes) -> None:
        """Note where the next message of a channel was published."""
        self._exchanges[channel] = exchange

    def header(self, channel: int, content: bytes) -> bytes:
        """Return a header frame's content, with the size of the stand-in if the body is cut."""
        size = int.from_bytes(content[BODY_SIZE], "big")
        if size <= self._largest(self._exchanges.pop(channel, b"")):
            return content
        self._passing[channel] = _Passing(size=size, left=size)
        shown = _FRONT_BYTES + min(size, HEAD_BYTES)
        return content[: BODY_SIZE.start] + shown.to_bytes(8, "big") + content[BODY_SIZE.stop :]

    def body(self, channel: int, content: bytes) -> bytes | None:
        """Return a body frame's content; None for one that is dropped."""
        passing = self._passing.get(channel)
        if passing is None:
            return content
        part, end = content[:-1], content[-1:]
        passing.digest.update(part)
        passing.head += part[: HEAD_BYTES - len(passing.head)]
        passing.left -= len(part)
        if passing.left > 0:
            return None
        del self._passing[channel]
        size = passing.size.to_bytes(8, "big")
        return _SECRET + size + passing.digest.digest() + bytes(passing.head) + end
