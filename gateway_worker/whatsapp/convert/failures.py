"""What an error of the library means for a message: it tells them apart by their text only."""

from typing import Final

from gateway_worker.whatsapp.ipc.frames import Failure

_SEND_FAILURES: Final = (
    ("websocket not connected", Failure.NOT_CONNECTED),
    ("client is nil", Failure.NOT_CONNECTED),
    ("not logged in", Failure.NOT_CONNECTED),
    # The connection was lost while the message was written to it: the server has no whole frame.
    ("failed to send message node", Failure.NOT_CONNECTED),
    ("no LID found", Failure.UNKNOWN_RECIPIENT),
    ("server returned error", Failure.REJECTED),
    ("unknown server", Failure.INVALID),
    ("failed to get device list", Failure.TIMED_OUT),
    ("failed to get group members", Failure.TIMED_OUT),
    ("failed to get LID", Failure.TIMED_OUT),
    # The device store did not give or take the keys, which is before the message is written.
    ("failed to fetch LID mappings", Failure.NOT_BEGUN),
    ("failed to prefetch sessions", Failure.NOT_BEGUN),
    ("failed to save cached sessions", Failure.NOT_BEGUN),
)
"""Errors of the library after which nothing, or nothing that was taken, was sent.

After any other error, above all the one of a missing acknowledgement, the message may have arrived.
"""


_SENT_AGAIN: Final = "websocket not connected"
"""The whole text if the library lost its second connection too while it sent a message again that
it had written to the first one."""


def send_failure(text: str) -> tuple[str, str]:
    """Return the kind of an error and what may be told of it: never the text, which has numbers."""
    if text == _SENT_AGAIN:
        return Failure.UNCERTAIN, "no acknowledgement came"
    for part, kind in _SEND_FAILURES:
        if part in text:
            _, _, code = text.rpartition("server returned error ")
            return kind, f"the server returned {code[:8]}" if kind == Failure.REJECTED else part
    return Failure.UNCERTAIN, "no acknowledgement came"
