"""Why the library has given up: from the error with which it returned, and from its log before.

It ends its delivery of events over a value that it has no name for, and the error tells the field
only. What WhatsApp had said stands in the log, if it was the refusal of a login.
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway_worker.host_protocol.signals import Ended
from gateway_worker.whatsapp.convert.failures import may_pass

_REFUSED: Final = re.compile(rb"(?:Temporary ban|Unknown) connect failure: <failure([^>]*)>")
_NUMBER: Final = re.compile(rb'\b(reason|code|expire)="(\d{1,9})"')
_FIELD: Final = re.compile(
    r"required field neonize\.([A-Za-z]{1,40})(?:\.([A-Za-z]{1,40}))? not set"
)
_BAN: Final = "TemporaryBan"
_FAILURE: Final = "ConnectFailure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The numbers with which WhatsApp refused a login; None: not told."""

    reason: int | None = None
    code: int | None = None
    expire: int | None = None


NO_REFUSAL: Final = Refusal()


def refusal(line: bytes) -> Refusal | None:
    """Return what the text of a log entry says of a refused login; None for other entries."""
    if (match := _REFUSED.match(line)) is None:
        return None
    return Refusal(**{name.decode(): int(digits) for name, digits in _NUMBER.findall(match[1])})


def is_stop(error: str, *, was_connected: bool) -> bool:
    """Whether the library has stopped telling events, and not just failed to connect at first."""
    return was_connected or _FIELD.search(error) is not None


def last_word(error: str, *, refused: Refusal, was_connected: bool) -> Ended:
    """Return what the library's return means for the session.

    Args:
        error: With which it returned; never told as it is.
        refused: The last refusal of a login in its log.
        was_connected: Whether there was a connection before.
    """
    field = _FIELD.search(error)
    kind = None if field is None else field[1]
    if kind == _BAN:
        code = "unknown" if refused.code is None else refused.code
        return Ended(
            reason="temporary_ban",
            detail=f"the account is banned for a while (code {code})",
            retry_after_seconds=refused.expire or None,
        )
    if kind == _FAILURE:
        return refused_login(refused.reason)
    if not is_stop(error, was_connected=was_connected):
        return Ended(reason="unreachable", detail="the first connection failed")
    return Ended(reason="library_stopped", detail=f"the library has stopped {_over(field)}")


def refused_login(status: int | None) -> Ended:
    """Return what a refusal means: the library tries again by itself after 500 and 503 only."""
    is_passing = status is not None and may_pass(status)
    shown = "unknown" if status is None else status
    return Ended(
        reason="refused_for_now" if is_passing else "refused",
        detail=f"the server refused the login ({shown})",
    )


def _over(field: re.Match[str] | None) -> str:
    if field is None:
        return "for a reason of its own"
    return f"over a value of {'.'.join(part for part in field.groups() if part)}"
