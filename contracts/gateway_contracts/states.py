"""The states of a session, and why it changes them."""

from enum import StrEnum


class SessionState(StrEnum):
    """Where a session stands."""

    CREATED = "created"
    PAIRING = "pairing"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    STOPPED = "stopped"
    LOGGED_OUT = "logged_out"
    BANNED = "banned"
    FAILED = "failed"


class StatusReason(StrEnum):
    """Why a session changed its state; for programs, the text beside it is for people."""

    REQUESTED = "requested"
    PAIRED = "paired"
    QR_TIMEOUT = "qr_timeout"
    PAIRING_FAILED = "pairing_failed"
    PASSKEY_REQUIRED = "passkey_required"
    """WhatsApp asks for the account's passkey, which only WhatsApp's own clients can give."""
    LOGIN_SUCCEEDED = "login_succeeded"
    CONNECTION_LOST = "connection_lost"
    HOST_EXITED = "host_exited"
    HOST_RENEWED = "host_renewed"
    """Its process is replaced in a quiet moment: it has kept memory after an upload."""
    SETTINGS_CHANGED = "settings_changed"
    """It connects anew because its backend has set another proxy."""
    WORKER_RESTARTED = "worker_restarted"
    WORKER_DRAINING = "worker_draining"
    LOGGED_OUT_FROM_PHONE = "logged_out_from_phone"
    LOGGED_OUT_BY_COMMAND = "logged_out_by_command"
    STREAM_REPLACED = "stream_replaced"
    TEMPORARY_BAN = "temporary_ban"
    ACCOUNT_BANNED = "account_banned"
    CLIENT_OUTDATED = "client_outdated"
    CONNECT_REFUSED = "connect_refused"
    PROXY_UNREACHABLE = "proxy_unreachable"
    STORE_LOST = "store_lost"
    HANDED_OVER = "handed_over"
    TAKEN_OVER = "taken_over"
    LIBRARY_STOPPED = "library_stopped"
    SILENT = "silent"
    """The connection stood, and WhatsApp sent nothing over it and did not answer."""
    WORKER_LOST = "worker_lost"
    """Its worker is gone, and no other can run it: its device store is where that worker was."""


class LogLevel(StrEnum):
    """The least important event that a worker writes into its log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
