"""The end of a library that tells nothing any more: its connection goes before it can do harm.

It would go on decrypting what comes and confirm it to WhatsApp, and nobody would ever have it. So
the way out is stopped up first, at once: what it decrypts from then on is not confirmed, WhatsApp
sends it again, and the next host takes back the keys. Meanwhile the answer to a send that runs may
still come in; then the connection is reset, and what was to go out is gone with it. It must not be
closed before: WhatsApp would close its side, and the library, which makes another connection then,
would get the same messages over that one and confirm them.
"""

import time
from collections.abc import Callable
from typing import Final

from gateway_worker.whatsapp.host.kernel import (
    cut_connections,
    hold_back_output,
    reset_connections,
)

HELD_SECONDS: Final = 0.18
"""How long the kernel holds back what is less than a packet: it is 200 milliseconds."""
LOOK_SECONDS: Final = 0.001
"""The library makes a lost connection anew; logging in takes it longer than this."""


def sever(*, is_answering: Callable[[], bool]) -> None:
    """Let nothing out any more, and nothing in as soon as no answer is waited for.

    Args:
        is_answering: Whether a send waits for its answer.
    """
    hold_back_output()
    deadline = time.monotonic() + HELD_SECONDS
    while is_answering() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    reset_connections()


def keep_severed(*, until: Callable[[], bool]) -> None:
    """Cut whatever connection is made anew, until the process may end."""
    while not until():
        cut_connections()
        time.sleep(LOOK_SECONDS)
