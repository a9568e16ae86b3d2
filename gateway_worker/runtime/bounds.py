"""How long something may take, where several bounds hold and some are missing."""

from typing import overload


@overload
def shortest(first: float, /, *others: float | None) -> float: ...


@overload
def shortest(*seconds: float | None) -> float | None: ...


def shortest(*seconds: float | None) -> float | None:
    """Return the shortest of these times; None, which is no bound, only if all of them are."""
    return min((one for one in seconds if one is not None), default=None)
