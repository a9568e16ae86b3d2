"""What becomes of a session when its host's connection ends: the table from cause to state."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway_contracts import SessionState, StatusReason
from gateway_worker.host_protocol.signals import Ended, PairingEnd, PairingFailed


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Why there is no connection any more.

    Attributes:
        state: The state that follows; RECONNECTING means that a new host tries again.
        reason: The reason for programs.
        detail: The reason for people.
        forget: WhatsApp has unlinked the device, so its store is void.
        retry_after_seconds: When WhatsApp would accept a login again, if known.
    """

    state: SessionState
    reason: StatusReason
    detail: str | None = None
    forget: bool = False
    retry_after_seconds: float | None = None

    @property
    def final(self) -> bool:
        """Whether the session stays down until a command restarts it."""
        return self.state is not SessionState.RECONNECTING

    def retry_at(self, now: datetime) -> datetime | None:
        """Return the time from which a restart makes sense, if it is known."""
        if self.retry_after_seconds is None:
            return None
        return now + timedelta(seconds=self.retry_after_seconds)


_LINK_ENDINGS: dict[str, tuple[SessionState, StatusReason]] = {
    "logged_out": (SessionState.LOGGED_OUT, StatusReason.LOGGED_OUT_FROM_PHONE),
    "replaced": (SessionState.STOPPED, StatusReason.STREAM_REPLACED),
    "temporary_ban": (SessionState.BANNED, StatusReason.TEMPORARY_BAN),
    "banned": (SessionState.BANNED, StatusReason.ACCOUNT_BANNED),
    "client_outdated": (SessionState.FAILED, StatusReason.CLIENT_OUTDATED),
    "refused": (SessionState.FAILED, StatusReason.CONNECT_REFUSED),
    "refused_for_now": (SessionState.RECONNECTING, StatusReason.CONNECT_REFUSED),
    "store_lost": (SessionState.FAILED, StatusReason.STORE_LOST),
    "store_unreachable": (SessionState.RECONNECTING, StatusReason.CONNECTION_LOST),
    "unreachable": (SessionState.RECONNECTING, StatusReason.PROXY_UNREACHABLE),
    "silent": (SessionState.RECONNECTING, StatusReason.SILENT),
    "memory_kept": (SessionState.RECONNECTING, StatusReason.HOST_RENEWED),
    "library_stopped": (SessionState.RECONNECTING, StatusReason.LIBRARY_STOPPED),
}


_PAIRING_ENDS: dict[PairingEnd, StatusReason] = {
    PairingEnd.TIMED_OUT: StatusReason.QR_TIMEOUT,
    PairingEnd.PASSKEY: StatusReason.PASSKEY_REQUIRED,
    PairingEnd.FAILED: StatusReason.PAIRING_FAILED,
}


def disconnect_of(event: Ended | PairingFailed) -> Disconnect:
    """Return what follows from the host's last event."""
    if isinstance(event, PairingFailed):
        return Disconnect(SessionState.FAILED, _PAIRING_ENDS[event.end], event.detail)
    state, reason = _LINK_ENDINGS.get(
        event.reason, (SessionState.FAILED, StatusReason.CONNECT_REFUSED)
    )
    return Disconnect(
        state,
        reason,
        event.detail,
        forget=state is SessionState.LOGGED_OUT,
        retry_after_seconds=event.retry_after_seconds,
    )
