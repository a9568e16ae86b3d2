"""A host's frames as the values and errors of the sessions' port."""

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from gateway_contracts import (
    Account,
    Content,
    ReceiptStatus,
    UndecryptableReason,
    UnsupportedContent,
)
from gateway_contracts.events import Participant
from gateway_worker.errors import (
    GatewayError,
    InvalidCommandError,
    RateLimitedError,
    RecipientNotOnWhatsAppError,
    RetryableError,
    SessionNotConnectedError,
    StaleKeysError,
    UncertainError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.times import moment
from gateway_worker.host_protocol.wire import Person
from gateway_worker.sessions.hosting import (
    HostEvent,
    InboundMessage,
    InboundReceipt,
    LinkDown,
    LinkEnded,
    LinkUp,
    PairCodeIssued,
    Paired,
    PairingEnded,
    QrIssued,
    UndecryptableMessage,
)
from gateway_worker.whatsapp.convert.texts import ID_CHARACTERS, stand_in
from gateway_worker.whatsapp.ipc import frames
from gateway_worker.whatsapp.ipc.codec import WireError
from gateway_worker.whatsapp.ipc.frames import Failure

_ERRORS: Final[dict[str, type[GatewayError]]] = {
    Failure.NOT_BEGUN: SessionNotConnectedError,
    Failure.NOT_CONNECTED: SessionNotConnectedError,
    Failure.UNKNOWN_RECIPIENT: RecipientNotOnWhatsAppError,
    Failure.INVALID: InvalidCommandError,
    Failure.REJECTED: UpstreamRejectedError,
    Failure.RATE_LIMITED: RateLimitedError,
    Failure.STALE: StaleKeysError,
    Failure.TIMED_OUT: UpstreamTimeoutError,
    Failure.UNCERTAIN: UncertainError,
}

_CONTENT: Final[TypeAdapter[Content]] = TypeAdapter(Content)

SpooledFrame = frames.Message | frames.Receipt | frames.Undecryptable
"""The frames that have a number in the spool."""

EventFrame = (
    frames.QrCode
    | frames.PairCode
    | frames.Linked
    | frames.PairingFailed
    | frames.Up
    | frames.Down
    | frames.Ended
    | SpooledFrame
)
"""The frames that are news for the session."""


def error_of(failed: frames.Failed) -> GatewayError:
    """Return the error of a request that failed; an unknown kind may have taken effect."""
    kind = _ERRORS.get(failed.kind, UncertainError)
    if not issubclass(kind, RetryableError):
        return kind(failed.detail)
    return kind(
        failed.detail,
        retry_after_seconds=failed.retry_after_seconds,
        attempts=failed.attempts,
    )


def host_event(frame: EventFrame) -> HostEvent:
    """Return a host's news.

    What came from a stranger is told in part if it does not fit the contract, and never raises.

    Raises:
        ValueError: What the host itself says does not.
    """
    event: HostEvent
    match frame:
        case frames.Message() | frames.Receipt() | frames.Undecryptable():
            event = _spooled(frame)
        case frames.QrCode(code=code, valid_seconds=seconds):
            event = QrIssued(code=code, valid_seconds=seconds)
        case frames.PairCode(code=code, valid_seconds=seconds):
            event = PairCodeIssued(code=code, valid_seconds=seconds)
        case frames.Linked(account=account):
            event = Paired(account=_account(account))
        case frames.PairingFailed(timed_out=timed_out, detail=detail):
            event = PairingEnded(timed_out=timed_out, detail=detail)
        case frames.Up(account=account):
            event = LinkUp(account=_account(account))
        case frames.Down(detail=detail):
            event = LinkDown(detail=detail)
        case frames.Ended(reason=reason, detail=detail, retry_after_seconds=wait):
            event = LinkEnded(reason=reason, detail=detail, retry_after_seconds=wait)
        case _:
            raise WireError(f"{type(frame).__name__} is not for the worker")
    return event


def _spooled(frame: SpooledFrame) -> HostEvent:
    try:
        match frame:
            case frames.Message():
                return _message(frame)
            case frames.Receipt():
                return _receipt(frame)
            case frames.Undecryptable():
                return _undecryptable(frame)
    except ValueError:  # hosts see to it that all fits, so this one is not what it should be
        return UndecryptableMessage(
            record=frame.record,
            message_id=stand_in(repr(frame)),
            chat=None,
            sender=None,
            timestamp=None,
            reason=UndecryptableReason.UNREADABLE,
        )


def _message(frame: frames.Message) -> InboundMessage:
    _check(frame.message_id, frame.chat, frame.quoted_id, frame.quoted_participant)
    content, fits = _content(frame.content)
    return InboundMessage(
        record=frame.record,
        message_id=frame.message_id,
        chat=frame.chat,
        sender=_participant(frame.sender),
        from_me=frame.from_me,
        is_group=frame.is_group,
        timestamp=moment(frame.timestamp) or datetime.now(UTC),
        content=content,
        quoted_id=frame.quoted_id,
        quoted_participant=frame.quoted_participant,
        offline=frame.offline,
        partial=frame.partial or not fits,
    )


def _content(told: dict[str, Any]) -> tuple[Content, bool]:
    """Return a content, and whether it is what the contract says; else it is its kind's name."""
    try:
        return _CONTENT.validate_python(told), True
    except ValidationError:
        return UnsupportedContent(message_type=str(told.get("kind"))[:ID_CHARACTERS]), False


def _receipt(frame: frames.Receipt) -> InboundReceipt:
    _check(*frame.message_ids, frame.chat)
    return InboundReceipt(
        record=frame.record,
        message_ids=frame.message_ids,
        chat=frame.chat,
        participant=_participant(frame.participant),
        status=ReceiptStatus(frame.status),
        timestamp=moment(frame.timestamp) or datetime.now(UTC),
        partial=frame.partial,
    )


def _undecryptable(frame: frames.Undecryptable) -> UndecryptableMessage:
    _check(frame.message_id, frame.chat)
    return UndecryptableMessage(
        record=frame.record,
        message_id=frame.message_id,
        chat=frame.chat,
        sender=None if frame.sender is None else _participant(frame.sender),
        timestamp=None if frame.timestamp is None else moment(frame.timestamp),
        reason=UndecryptableReason(frame.reason),
    )


def _participant(person: Person) -> Participant:
    return Participant(
        jid=person.jid,
        lid=person.lid,
        phone_number=person.phone_number,
        push_name=person.push_name,
    )


def _account(person: Person) -> Account:
    return Account(
        jid=person.jid,
        lid=person.lid,
        phone_number=person.phone_number,
        push_name=person.push_name,
    )


def _check(*ids: str | None) -> None:
    """Raise ValueError if one of these fits no field for ids."""
    if any(one is not None and (len(one) > ID_CHARACTERS or "\x00" in one) for one in ids):
        raise ValueError("an id does not fit")
