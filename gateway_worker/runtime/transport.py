"""Tells apart what a connection that has just died makes the event loop raise.

Libraries write to their transport without asking whether it is still there. What comes of that is
no `OSError`: asyncio's transports raise `TypeError` in some releases (they call what they have
cleared), uvloop's `RuntimeError`, and no library translates that. So it is told by where it was
raised.
"""

from types import TracebackType
from typing import Final

_LOOPS: Final = frozenset({"asyncio", "selectors", "socket", "ssl", "uvloop"})


def is_of_transport(error: BaseException, *libraries: str) -> bool:
    """Tell whether an error was raised by the event loop's code, and not by whoever called it.

    Args:
        error: As it was caught.
        libraries: Names of packages that count as well, such as a driver's.
    """
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    package = str(last.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    return package in _LOOPS or package in libraries
