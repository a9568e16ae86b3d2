"""The one tree of errors: each carries a code of the contract and says whether a retry can help."""

from gateway_contracts import ErrorBody, ErrorCode, FieldError


class GatewayError(Exception):
    """A failure with a code.

    Args:
        detail: What happened, for a person; without message text, numbers or keys.
        code: The contract's code; each subclass has a default.
    """

    code: ErrorCode = ErrorCode.INTERNAL

    def __init__(self, detail: str = "", *, code: ErrorCode | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code

    def body(self) -> ErrorBody:
        """Return the error as the contract shows it to a backend."""
        return ErrorBody.of(self.code, self.detail or None)


class PermanentError(GatewayError):
    """The same command will fail again."""


class RetryableError(GatewayError):
    """The same command may succeed later.

    Args:
        detail: What happened.
        code: The contract's code.
        retry_after_seconds: How long to wait at least, if that is known.
        attempts: How many attempts are worth while at most, the first included; None for as many
            as usual.
    """

    def __init__(
        self,
        detail: str = "",
        *,
        code: ErrorCode | None = None,
        retry_after_seconds: float | None = None,
        attempts: int | None = None,
    ) -> None:
        super().__init__(detail, code=code)
        self.retry_after_seconds = retry_after_seconds
        self.attempts = attempts

    def body(self) -> ErrorBody:
        """Return the error as the contract shows it, with the time to wait."""
        wait = self.retry_after_seconds
        return ErrorBody.of(
            self.code,
            self.detail or None,
            retry_after_ms=None if wait is None else int(wait * 1000),
        )


class InvalidCommandError(PermanentError):
    """The command cannot be executed as it stands.

    Args:
        detail: What is wrong.
        pointer: JSON Pointer to the field at fault.
    """

    code = ErrorCode.INVALID_COMMAND

    def __init__(self, detail: str, *, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.pointer = pointer

    def body(self) -> ErrorBody:
        """Return the error with the field it is about."""
        errors = (FieldError(pointer=self.pointer, detail=self.detail),) if self.pointer else ()
        return ErrorBody.of(self.code, self.detail, errors=errors)


class FaultyRowsError(PermanentError):
    """Rows of a command cannot be sent as they stand.

    Args:
        detail: What is wrong.
        faults: The first of them, by their places in the command.
    """

    code = ErrorCode.INVALID_COMMAND

    def __init__(self, detail: str, *, faults: tuple[FieldError, ...]) -> None:
        super().__init__(detail)
        self.faults = faults

    def body(self) -> ErrorBody:
        """Return the error with the fields that it is about."""
        return ErrorBody.of(self.code, self.detail, errors=self.faults)


class SessionNotFoundError(PermanentError):
    """There is no such session."""

    code = ErrorCode.SESSION_NOT_FOUND


class SessionExistsError(PermanentError):
    """There is such a session already."""

    code = ErrorCode.SESSION_EXISTS


class SessionLinkedError(PermanentError):
    """The session has an account, and what is asked is for one that has none."""

    code = ErrorCode.SESSION_LINKED


class SessionNotLinkedError(PermanentError):
    """The session has no account."""

    code = ErrorCode.SESSION_NOT_LINKED


class UnsupportedError(PermanentError):
    """The session, or the gateway as it is set up, cannot do what is asked."""

    code = ErrorCode.UNSUPPORTED


class SessionNotConnectedError(RetryableError):
    """The session has no connection to WhatsApp now."""

    code = ErrorCode.SESSION_NOT_CONNECTED


class NotAttemptedError(SessionNotConnectedError):
    """It certainly has had no effect, though the session may be connected; it may be repeated."""

    code = ErrorCode.NOT_ATTEMPTED


class AccountRestrictedError(PermanentError):
    """WhatsApp has banned the account."""

    code = ErrorCode.ACCOUNT_RESTRICTED


class RecipientNotOnWhatsAppError(PermanentError):
    """WhatsApp does not know the recipient."""

    code = ErrorCode.RECIPIENT_NOT_ON_WHATSAPP


class ExpiredError(PermanentError):
    """The command's deadline has passed."""

    code = ErrorCode.EXPIRED


class CancelledError(PermanentError):
    """The command was called off, and has certainly had no effect."""

    code = ErrorCode.CANCELLED


class UncertainError(PermanentError):
    """The command may or may not have taken effect.

    Args:
        detail: What happened.
        chat: Of a send: where its message would be.
        message_id: Its id there, if it is known.
    """

    code = ErrorCode.UNCERTAIN

    def __init__(
        self, detail: str = "", *, chat: str | None = None, message_id: str | None = None
    ) -> None:
        super().__init__(detail)
        self.chat = chat
        self.message_id = message_id


class RateLimitedError(RetryableError):
    """WhatsApp wants fewer requests; `retry_after_seconds` says when to come again."""

    code = ErrorCode.RATE_LIMITED


class TooManyCommandsError(RetryableError):
    """More commands have come than may wait; `retry_after_seconds` says when to come again.

    It is not executed, and no dead letter.
    """

    code = ErrorCode.RATE_LIMITED


class UpstreamTimeoutError(RetryableError):
    """WhatsApp did not answer in time, or said that it cannot now."""

    code = ErrorCode.UPSTREAM_TIMEOUT


class StaleKeysError(RetryableError):
    """WhatsApp refused what was made with keys or addresses that have changed; once more helps."""

    code = ErrorCode.ENCRYPTION_STALE


class ReachoutRestrictedError(RetryableError):
    """WhatsApp lets the account begin no new chats; `retry_after_seconds` says until when."""

    code = ErrorCode.REACHOUT_RESTRICTED


class UpstreamRejectedError(PermanentError):
    """WhatsApp refused."""

    code = ErrorCode.UPSTREAM_REJECTED


class MediaUnavailableError(PermanentError):
    """There is no such file, or it is gone, or nobody has its key."""

    code = ErrorCode.MEDIA_UNAVAILABLE


class MediaSourceError(RetryableError):
    """A file cannot be had now: where it is does not answer, or not as it should."""

    code = ErrorCode.MEDIA_UNAVAILABLE

    def body(self) -> ErrorBody:
        """Return the error as one that may pass, which its code alone does not say."""
        return super().body().model_copy(update={"retryable": True})


class MediaTooLargeError(PermanentError):
    """A file is larger than its kind may be."""

    code = ErrorCode.MEDIA_TOO_LARGE


class MediaRefusedError(PermanentError):
    """A file is damaged, of a type that its kind cannot be, or in a place that is not asked."""

    code = ErrorCode.MEDIA_REFUSED


class CapacityError(RetryableError):
    """There is no room here."""

    code = ErrorCode.CAPACITY


class QuotaExceededError(PermanentError):
    """A tenant has as much as it may have."""

    code = ErrorCode.QUOTA_EXCEEDED


class DependencyError(RetryableError):
    """A service that the worker needs (broker, database, cache, objects) cannot be used now.

    It is back within seconds, or another takes its place: what needs it is tried for as long as a
    command may be, however often that is. With `attempts` it may be the fault of the command, and
    they count.
    """

    code = ErrorCode.INTERNAL


class DatabaseUnavailableError(DependencyError):
    """The database cannot be used now, and without it nothing can be brought to an end.

    Whoever has an unsettled command or arrival waits, for as long as it takes: it is no attempt.

    Args:
        detail: What failed, and how.
        sqlstate: PostgreSQL's code if it has answered; None if it was not reached.
    """

    def __init__(self, detail: str = "", *, sqlstate: str | None = None) -> None:
        super().__init__(detail)
        self.sqlstate = sqlstate


class ConfigurationError(GatewayError):
    """The worker cannot start as it is configured."""
