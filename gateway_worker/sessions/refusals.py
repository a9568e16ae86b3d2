"""Arrivals that the database refuses for good: kept in a file, because WhatsApp has none of them.

The file `refused` in the session's directory has one event per line, as JSON. Nothing reads it but
people: what is in it was never published.
"""

import os
from pathlib import Path
from typing import Final

from gateway_contracts import encode
from gateway_worker.sessions.changes import Change

REFUSED_NAME: Final = "refused"


def keep_refused(directory: Path, change: Change) -> None:
    """Append the events of a change, forced to the disk. Blocks shortly.

    Raises:
        OSError: The disk does not take them.
    """
    data = b"".join(encode(event) + b"\n" for event in change.events)
    path = directory / REFUSED_NAME
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(file).st_size
        if os.write(file, data) < len(data):
            os.ftruncate(file, size)
            raise OSError("the disk took a part of the event")
        os.fsync(file)
    finally:
        os.close(file)
