"""Changes that must not be made twice: a note goes into the journal before each and one after.

Messages have a way of their own (`sending`), for which the library's store tells more.
"""

from collections.abc import Callable
from typing import TypeVar

from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.journal_format import Acknowledgement, Rejection
from gateway_worker.host_protocol.methods import Result
from gateway_worker.whatsapp.convert.failures import change_failure
from gateway_worker.whatsapp.host.send_journal import SendJournal
from gateway_worker.whatsapp.host.sending import SendFailedError

R = TypeVar("R", bound=Result)


def once(journal: SendJournal, command: str | None, change: Callable[[], R], what: str) -> R:
    """Make a change.

    Args:
        journal: Where it is noted.
        command: The command that it is for; without one nothing is noted.
        change: Calls the library, and returns the answer.
        what: What is changed, for a person.

    Raises:
        SendFailedError: It had no effect, or nobody knows whether it had one.
    """
    try:
        if command is not None:
            journal.submitted(command)
    except OSError:
        detail = "the journal of sends is not writable"
        raise SendFailedError(Failure(kind=FailureKind.NOT_BEGUN, detail=detail)) from None
    try:
        answer = change()
    except Exception as error:  # noqa: BLE001 - the library's errors differ by their text only
        failure = change_failure(str(error), what)
        if command is not None:
            journal.rejected(Rejection.of(command, failure))
        raise SendFailedError(failure) from None
    if command is not None:
        journal.acknowledged(Acknowledgement(command_id=command, result=answer))
    return answer
