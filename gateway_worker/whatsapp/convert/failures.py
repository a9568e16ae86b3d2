"""What an error of the library means for a message.

The library tells its errors apart by their text only. Two things are read from it: where the send
ended, before the message was written to the connection or after, and the status that WhatsApp gave.
The first decides whether the message can have arrived, the second what may help.
"""

import re
from typing import Final

from gateway_worker.host_protocol.failures import Failure, FailureKind

RATE_LIMIT_SECONDS: Final = 30.0
"""How long to leave WhatsApp alone after "too many" if it does not say how long."""
ONE_MORE: Final = 2
"""Attempts at what may pass and costs something each time."""

RATE_OVERLIMIT: Final = 429
_STALE: Final = 479
_NO_NEW_CHATS: Final = 463
_TIME_OUT: Final = 408
_SERVER_FAULTS: Final = range(500, 600)
_NOT_FOR_ALL_TIME: Final = frozenset({501, 505})
"""Faults of the server that do not pass: it does not know the request at all."""


UPLOAD: Final = "the upload of the file"
_NO_LONGER_ALLOWED: Final = frozenset({401, 403})
"""What the media servers say to a permission that has run out."""

NO_ACKNOWLEDGEMENT: Final = Failure(kind=FailureKind.UNCERTAIN, detail="no acknowledgement came")

_ANSWERED: Final = "server returned error"
"""The server has taken the message's frame, and refused it."""
_WRITTEN: Final = (
    "timed out waiting for message send response",
    "websocket disconnected before message send",
)
"""Said only once the frame was written."""
_SENT_AGAIN: Final = "websocket not connected"
"""The whole text if the library lost its second connection too while it sent a message again that
it had written to the first one."""

_STEPS: Final = (
    ("failed to get user info", "the look-up of the recipient"),
    ("failed to get group members", "the look-up of the group"),
    ("failed to get broadcast list members", "the look-up of those who see the status"),
    ("failed to get device list", "the look-up of the recipient's devices"),
    ("failed to send prekey request", "the query for the recipient's keys"),
    ("got error getting prekeys", "the query for the recipient's keys"),
    ("failed to send usync query", "a look-up"),
    ("info query", "a query"),
    ("response to usync query", "a look-up"),
    ("response to group info query", "the look-up of the group"),
)
"""Queries that precede the message: what failed with one of them was never written."""

_NEVER_WRITTEN: Final = (
    ("client is nil", FailureKind.NOT_CONNECTED),
    ("not logged in", FailureKind.NOT_CONNECTED),
    ("doesn't contain a device JID", FailureKind.NOT_CONNECTED),
    # The connection was lost while the message was written to it: the server has no whole frame.
    ("failed to send message node", FailureKind.NOT_CONNECTED),
    ("no LID found", FailureKind.UNKNOWN_RECIPIENT),
    ("unknown server", FailureKind.INVALID),
    ("unknown user server", FailureKind.INVALID),
    ("no device part", FailureKind.INVALID),
    ("failed to marshal", FailureKind.INVALID),
    # The device store did not give or take the keys.
    ("failed to get LID", FailureKind.NOT_BEGUN),
    ("failed to fetch LID mappings", FailureKind.NOT_BEGUN),
    ("failed to prefetch sessions", FailureKind.NOT_BEGUN),
    ("failed to save cached sessions", FailureKind.NOT_BEGUN),
    ("failed to create sender key", FailureKind.NOT_BEGUN),
    ("failed to encrypt group message", FailureKind.NOT_BEGUN),
    # Neither a person nor a group was named in what was asked.
    ("Function returned nothing", FailureKind.TIMED_OUT),
)
"""Steps of the library's own before the message is written."""

_NO_CONNECTION: Final = ("websocket not connected", "socket is closed", "failed to write")
"""There was none to write a query to. One that is lost while a query waits may be what the query
brings about, so that is no answer in time."""

_STATUS: Final = re.compile(
    r'(?:server returned error |returned status |status code |\bcode=")(\d{3})\b'
)
_GRAPH_ERROR: Final = re.compile(r"\b(\d{3}) [^()]*\([A-Z_]*\)")
"""How the library writes an error of a query that is answered in JSON."""
_BACKOFF: Final = re.compile(r'\bbackoff="(\d{1,6})"')
_NAMED: Final = (
    ("rate-overlimit", RATE_OVERLIMIT),
    ("participating in that group", 403),
    ("that group does not exist", 404),
    ("permission to get the group's invite link", 401),
    ("invite link has been revoked", 410),
    ("invite link is not valid", 406),
    ("invalid disappearing timer", 400),
    ("not a valid image", 406),
)
"""Statuses that the library puts into words."""


def send_failure(text: str, *, untouched: bool = False) -> Failure:
    """Return what an error of a send means.

    Args:
        text: The library's.
        untouched: Whether nothing was stored in the device store since, but for the message's
            secret. The library stores that keys are used up before it writes what it has encrypted
            with them, so that nothing was written then, whatever the text says.
    """
    if _ANSWERED in text:
        return refusal(status_of(text), "the message")
    if text == _SENT_AGAIN or any(part in text for part in _WRITTEN):
        return NO_ACKNOWLEDGEMENT
    failure = _never_written(text)
    if failure is None and untouched:
        return Failure(kind=FailureKind.TIMED_OUT, detail="the library has sent nothing")
    return failure or NO_ACKNOWLEDGEMENT


def query_failure(text: str, what: str = "a query") -> Failure:
    """Return what an error of a query means: whatever it was, it was no message.

    Args:
        text: The library's.
        what: What was asked for, for a person.
    """
    failure = _never_written(text, step=what)
    return failure or Failure(kind=FailureKind.TIMED_OUT, detail=f"no usable answer to {what}")


def change_failure(text: str, what: str) -> Failure:
    """Return what an error of a change means that must not be made twice.

    Args:
        text: The library's. One that WhatsApp has not answered may have had its effect: the library
            writes it once more after a lost connection, and calls both by the same names. So may
            one with which WhatsApp itself has failed, or which it has given up.
        what: What was to be changed, for a person.
    """
    status = status_of(text)
    if status is not None and _is_its_own(status):
        detail = f"WhatsApp has failed with {what} ({status}), at whatever point"
        return Failure(kind=FailureKind.UNCERTAIN, detail=detail)
    if status is not None:
        return refusal(status, what, retry_after_seconds=backoff_of(text))
    for part, kind in _NEVER_WRITTEN:
        if part in text and kind is not FailureKind.TIMED_OUT:
            return Failure(kind=kind, detail=part)
    return Failure(kind=FailureKind.UNCERTAIN, detail=f"no usable answer to {what}")


def channel_failure(text: str, what: str) -> Failure:
    """Return what an error of a question about channels means; they have a form of their own.

    Args:
        text: The library's.
        what: What was asked for, for a person.
    """
    found = _GRAPH_ERROR.search(text)
    return query_failure(text, what) if found is None else refusal(int(found[1]), what)


def upload_failure(text: str) -> Failure:
    """Return what an error of an upload means: whatever it was, nobody was told of the file.

    Args:
        text: The library's.
    """
    status = status_of(text)
    if status is None:
        return query_failure(text, UPLOAD)
    if status in _NO_LONGER_ALLOWED:  # it asks for another permission when it has run out
        detail = f"WhatsApp refused {UPLOAD} ({status})"
        return Failure(kind=FailureKind.TIMED_OUT, detail=detail, attempts=ONE_MORE)
    return refusal(status, UPLOAD)


def refusal(status: int | None, what: str, *, retry_after_seconds: float | None = None) -> Failure:
    """Return what a status of WhatsApp means: what it refused has had no effect.

    Args:
        status: An error's code; None if none was given.
        what: What was refused, for a person.
        retry_after_seconds: How long it wants to be left alone, if it said so.
    """
    if status is None:
        return Failure(kind=FailureKind.REJECTED, detail=f"WhatsApp refused {what}")
    detail = f"WhatsApp refused {what} ({status})"
    if status == RATE_OVERLIMIT:
        seconds = RATE_LIMIT_SECONDS if retry_after_seconds is None else retry_after_seconds
        return Failure(kind=FailureKind.RATE_LIMITED, detail=detail, retry_after_seconds=seconds)
    if status == _NO_NEW_CHATS:  # each attempt counts against the account
        return Failure(kind=FailureKind.REACHOUT_RESTRICTED, detail=detail, attempts=1)
    if status == _STALE:  # stale keys or addresses, which the next attempt finds renewed
        return Failure(kind=FailureKind.STALE, detail=detail, attempts=ONE_MORE)
    if _is_its_own(status):
        return Failure(
            kind=FailureKind.TIMED_OUT, detail=detail, retry_after_seconds=retry_after_seconds
        )
    return Failure(kind=FailureKind.REJECTED, detail=detail)


def may_pass(status: int) -> bool:
    """Whether what was refused with a status may be accepted later as it is."""
    return status == RATE_OVERLIMIT or _is_its_own(status)


def _is_its_own(status: int) -> bool:
    """Whether a status is of the server's own trouble, and not of what it was asked."""
    return status == _TIME_OUT or (status in _SERVER_FAULTS and status not in _NOT_FOR_ALL_TIME)


def status_of(text: str) -> int | None:
    """Return the status that is told in an error's text."""
    if found := _STATUS.search(text):
        return int(found[1])
    return next((status for name, status in _NAMED if name in text), None)


def backoff_of(text: str) -> float | None:
    """Return for how many seconds the server wants to be left alone, if the text has it."""
    found = _BACKOFF.search(text)
    return None if found is None else float(found[1])


def _never_written(text: str, *, step: str | None = None) -> Failure | None:
    for part, kind in _NEVER_WRITTEN:
        if part in text:
            return Failure(kind=kind, detail=part)
    step = step or next((name for part, name in _STEPS if part in text), None)
    if step is None:
        return None
    status = status_of(text)
    if status is not None:
        return refusal(status, step, retry_after_seconds=backoff_of(text))
    if any(part in text for part in _NO_CONNECTION):
        return Failure(kind=FailureKind.NOT_CONNECTED, detail=f"no connection for {step}")
    return Failure(kind=FailureKind.TIMED_OUT, detail=f"no usable answer to {step}")
