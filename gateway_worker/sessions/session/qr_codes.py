"""The QR codes that a session shows until an account is linked to it."""

from gateway_contracts.commands import Pairing
from gateway_worker.errors import (
    SessionLinkedError,
    SessionNotConnectedError,
    UnsupportedError,
)
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.ports import CurrentQr
from gateway_worker.sessions.session.state import SessionStateMachine
from gateway_worker.sessions.session.transitions import is_running


class QrCodes:
    """What can be scanned now, or in a moment.

    Args:
        machine: Has the session's state, and its last code.
        pairing: How the session is linked.
        clock: For the ends of codes.
        wait_seconds: How long to wait for the first code.

    Attributes:
        wait_seconds: As above.
    """

    def __init__(
        self,
        *,
        machine: SessionStateMachine,
        pairing: Pairing,
        clock: Clock,
        wait_seconds: float,
    ) -> None:
        self._machine = machine
        self._method = pairing.method
        self._clock = clock
        self.wait_seconds = wait_seconds

    @property
    def is_about_to_show(self) -> bool:
        """Whether a code can be expected that is not there yet."""
        machine = self._machine
        return (
            machine.account is None
            and self._method == "qr"
            and machine.qr is None
            and is_running(machine.state)
            and not machine.has_left
        )

    async def until_shown(self) -> None:
        """Return when there is a code or none will come."""
        await self._machine.wait_until(lambda: not self.is_about_to_show)

    def current(self) -> CurrentQr:
        """Return the code to scan.

        Raises:
            SessionLinkedError: There is nothing to scan for.
            UnsupportedError: The session pairs by code.
            SessionNotConnectedError: There is no code now.
        """
        machine = self._machine
        if machine.account is not None:
            raise SessionLinkedError("there is nothing to scan")
        if self._method != "qr":
            raise UnsupportedError("the session pairs by code, not by QR")
        qr = machine.qr
        if qr is None or qr.expires_at <= self._clock.now():
            raise SessionNotConnectedError(f"there is no QR code; the session is {machine.state}")
        return qr
