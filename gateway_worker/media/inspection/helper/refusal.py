"""Why a file cannot be sent as what it is to be sent as."""

from collections.abc import Iterator
from contextlib import contextmanager


class RefusalError(Exception):
    """The file is refused; the text says why, for a person."""


DAMAGED = "the file is damaged"


@contextmanager
def decoding() -> Iterator[None]:
    """Take whatever goes wrong while something is read for damage, but for a lack of memory."""
    try:
        yield
    except (RefusalError, MemoryError):
        raise
    except Exception as error:
        raise RefusalError(DAMAGED) from error
