"""The end of a library that tells nothing any more: its connection goes before it can do harm.

It would go on decrypting what comes and confirm it to WhatsApp, and nobody would ever have it. So
the way out is closed first, at once: what it decrypts from then on is not confirmed, WhatsApp sends
it again, and the next host takes back the keys. The answer to a send that runs may still come in.
"""

import socket
import time
from collections.abc import Callable
from typing import Final

from gateway_worker.whatsapp.host.kernel import cut_connections

LOOK_SECONDS: Final = 0.001
"""The library makes a lost connection anew; logging in takes it longer than this."""


def sever(*, is_answering: Callable[[], bool], seconds: float) -> None:
    """Close the way out, and both ways as soon as no answer is waited for any more.

    Args:
        is_answering: Whether a send runs and its answer can still come.
        seconds: The longest wait for it.
    """
    cut_connections(how=socket.SHUT_WR)
    deadline = time.monotonic() + seconds
    while is_answering() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    cut_connections()


def keep_severed(*, until: Callable[[], bool]) -> None:
    """Cut whatever connection is made anew, until the process may end."""
    while not until():
        cut_connections()
        time.sleep(LOOK_SECONDS)
