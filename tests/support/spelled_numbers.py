"""Phone numbers of countries that write them in two ways, each pair handed out once.

Tests share one simulated service, and it knows an account by one of both spellings: a number that
is written out in two tests is somebody else's in whichever of them comes second.
"""

from itertools import count
from typing import Final, Literal, NamedTuple

Country = Literal["brazil", "mexico", "argentina"]

_SHAPES: Final[dict[Country, tuple[str, str, int]]] = {
    "brazil": ("5511", "9", 8),
    "mexico": ("52", "1", 10),
    "argentina": ("54", "9", 10),
}
"""What stands before the digit that marks a mobile, that digit, how many follow it."""

_HANDED_OUT: Final = count(1)


class SpelledNumber(NamedTuple):
    """A number: as WhatsApp knows it, and the other way to write it. Digits only."""

    known: str
    other: str


def spelled_number(country: Country, *, marked: bool) -> SpelledNumber:
    """A number that no other test of this process has; `marked`: WhatsApp has it with the mark."""
    head, mark, digits = _SHAPES[country]
    rest = str(6 * 10 ** (digits - 1) + next(_HANDED_OUT))
    spellings = (f"{head}{rest}", f"{head}{mark}{rest}")
    return SpelledNumber(known=spellings[marked], other=spellings[not marked])
