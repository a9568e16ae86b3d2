"""The library's events of the connection: their codes, and what they mean for the worker."""

from collections.abc import Callable
from typing import Final

from neonize.proto.Neonize_pb2 import ConnectFailure, LoggedOut, StreamError, TemporaryBan

from gateway_worker.host_protocol.envelope import FromHost, Notice
from gateway_worker.host_protocol.settings import NO_HISTORY, HostSettings
from gateway_worker.host_protocol.signals import Down, Ended
from gateway_worker.whatsapp.convert.stops import refused_login

DEVICE: Final = 0
"""The first event of all: the linked device, always sent. From then on the client may be asked."""
CONNECTED: Final = 3
KEEP_ALIVE_TIMEOUT: Final = 4
KEEP_ALIVE_RESTORED: Final = 5
LOGGED_OUT: Final = 6
STREAM_REPLACED: Final = 7
TEMPORARY_BAN: Final = 8
CONNECT_FAILURE: Final = 9
CLIENT_OUTDATED: Final = 10
STREAM_ERROR: Final = 11
DISCONNECTED: Final = 12
HISTORY_SYNC: Final = 13
"""What was written before the account was linked: subscribed to only where that is wanted."""
OFFLINE_PREVIEW: Final = 26
OFFLINE_COMPLETED: Final = 27

SUBSCRIBED: Final = (
    CONNECTED,
    KEEP_ALIVE_TIMEOUT,
    KEEP_ALIVE_RESTORED,
    LOGGED_OUT,
    STREAM_REPLACED,
    TEMPORARY_BAN,
    CONNECT_FAILURE,
    CLIENT_OUTDATED,
    STREAM_ERROR,
    DISCONNECTED,
    OFFLINE_PREVIEW,
    OFFLINE_COMPLETED,
)
"""The codes of those that every session wants; those of what arrives are in `arriving`."""

_LOGOUT_DETAILS: Final = {
    2: "the device was unlinked",
    4: "the account is locked on its phone",
    5: "the account is banned",
}
_REFUSALS: Final = {1: 400, 2: 401, 3: 402, 4: 403, 5: 406, 6: 405, 7: 409, 8: 500, 9: 501, 10: 503}
"""WhatsApp's statuses, by the library's numbers of them."""
_BANNED: Final = 5
"""The library's `UNKNOWN_LOGOUT`, status 406, which WhatsApp's own clients call banned."""


def subscribed(settings: HostSettings) -> tuple[int, ...]:
    """Return the codes of those that the library is asked for."""
    return SUBSCRIBED if settings.history == NO_HISTORY else (*SUBSCRIBED, HISTORY_SYNC)


def link_news(code: int, data: bytes) -> FromHost | None:
    """Return what an event of the connection means for the worker, if anything."""
    read = _NEWS.get(code)
    return None if read is None else read(data)


def _logged_out(data: bytes) -> Ended:
    event = LoggedOut.FromString(data)
    detail = _LOGOUT_DETAILS.get(event.Reason, "the device was unlinked")
    if event.OnConnect and event.Reason == _BANNED:
        return Ended(reason="banned", detail=detail)
    return Ended(reason="logged_out", detail=detail)


def _temporary_ban(data: bytes) -> Ended:
    event = TemporaryBan.FromString(data)
    return Ended(
        reason="temporary_ban",
        detail=f"the account is banned for a while (code {event.Code})",
        retry_after_seconds=event.Expire or None,
    )


def _refused(data: bytes) -> Ended:
    return refused_login(_REFUSALS.get(ConnectFailure.FromString(data).Reason))


def _stream_error(data: bytes) -> Notice:
    return Notice(event="stream_error", detail=StreamError.FromString(data).Code[:16])


_NEWS: Final[dict[int, Callable[[bytes], FromHost]]] = {
    DISCONNECTED: lambda _: Down(detail="the connection was lost"),
    KEEP_ALIVE_TIMEOUT: lambda _: Down(detail="the server does not answer pings", is_silent=True),
    LOGGED_OUT: _logged_out,
    STREAM_REPLACED: lambda _: Ended(
        reason="replaced", detail="the same device has logged in elsewhere"
    ),
    TEMPORARY_BAN: _temporary_ban,
    CLIENT_OUTDATED: lambda _: Ended(
        reason="client_outdated", detail="the server wants a newer library"
    ),
    CONNECT_FAILURE: _refused,
    STREAM_ERROR: _stream_error,
}
