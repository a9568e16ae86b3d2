"""What became of a send that nobody answered: the port to the journals that hosts keep on disk."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway_worker.errors import GatewayError
from gateway_worker.host_protocol.methods import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSubmitted:
    """The library never got it: it can be sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The library got it and its answer is not there: it may have arrived.

    Attributes:
        chat: Where it would be.
        message_id: Its id there; None, as `chat`, if the library has given it none yet, or that is
            not known.
    """

    chat: str | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """It has had its effect, and this was the answer."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """It was not sent; `error` says why, and whether another attempt can help."""

    error: GatewayError


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The journal cannot tell: it is missing, damaged, or began after the send did."""

    detail: str


SendTrace = NotSubmitted | Submitted | Acknowledged | Rejected | Unknown


class SendJournals(Protocol):
    """The journals of this worker's sessions."""

    async def look_up(
        self,
        directory: Path,
        command_id: str,
        *,
        worker_id: str,
        epoch: int,
        began: datetime | None = None,
    ) -> SendTrace:
        """Return what became of a send. Never raises.

        Waits, for some seconds at most, while a host whose worker is gone still finishes it.

        Args:
            directory: The session's directory.
            command_id: The command that sends.
            worker_id: Who ran it.
            epoch: Under which epoch.
            began: Not later than the run began. Without it a run is taken for a recent one: the
                journal forgets all but the last few hundred commands.
        """
        ...
