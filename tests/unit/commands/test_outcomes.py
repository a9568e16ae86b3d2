"""What is committed at a command's end."""

from gateway_contracts import (
    CommandFailed,
    CommandRejectedError,
    CommandSucceeded,
    Done,
    ErrorBody,
    ErrorCode,
    MessageSend,
    MessageSendData,
    TextToSend,
)
from gateway_worker.commands.outcomes import Outcomes
from gateway_worker.sessions.changes import CommandState, Outcome

OUTCOMES = Outcomes(worker_id="w")
COMMAND = MessageSend(
    source="/backends/test",
    subject="s",
    tenantid="acme",
    traceparent=f"00-{1:032x}-{1:016x}-01",
    data=MessageSendData(to="+12025550101", content=TextToSend(text="hello")),
)
ERROR = ErrorBody.of(ErrorCode.EXPIRED, "too late")


def test_a_failure_has_an_outcome_and_an_event_that_tells_it() -> None:
    """The event continues what the command began: ids, tenant and trace."""
    change = OUTCOMES.failure(COMMAND, ERROR, attempts=2, epoch=5)
    (event,) = change.events

    assert isinstance(event, CommandFailed)
    assert (change.session_id, change.epoch) == ("s", 5)
    assert change.outcome is not None
    assert (change.outcome.state, change.outcome.error) == (CommandState.FAILED, ERROR)
    assert (event.correlationid, event.tenantid, event.traceparent) == (
        COMMAND.id,
        COMMAND.tenantid,
        COMMAND.traceparent,
    )
    assert (event.source, event.data.attempts, event.data.repeated) == ("/workers/w", 2, False)


def test_a_repetition_announces_and_writes_nothing() -> None:
    """Neither a good outcome nor a bad one is written again."""
    good = Outcome(command_id=COMMAND.id, command_type=COMMAND.type, result=Done())
    bad = Outcome(command_id=COMMAND.id, command_type=COMMAND.type, error=ERROR, attempts=3)
    for outcome, kind in ((good, CommandSucceeded), (bad, CommandFailed)):
        change = OUTCOMES.repetition(COMMAND, outcome, epoch=None)
        (event,) = change.events
        assert isinstance(event, kind)
        assert event.data.repeated
        assert (change.outcome, change.epoch) == (None, None)


def test_an_outcome_without_anything_is_an_internal_error() -> None:
    """A row that says neither must not look like a success."""
    nothing = Outcome(command_id=COMMAND.id, command_type=COMMAND.type)
    (event,) = OUTCOMES.repetition(COMMAND, nothing, epoch=1).events
    assert isinstance(event, CommandFailed)
    assert event.data.error.code is ErrorCode.INTERNAL


def test_what_was_not_accepted_has_no_outcome() -> None:
    """A taken id, and a body that is no command."""
    denial = OUTCOMES.denial(COMMAND, ERROR, epoch=1)
    rejected = CommandRejectedError(ERROR, command_type="wa.unknown.v1")
    refusal = OUTCOMES.refusal(rejected, command_id="c", session_id="s", epoch=None)
    for change, command_type in ((denial, COMMAND.type), (refusal, "wa.unknown.v1")):
        (event,) = change.events
        assert isinstance(event, CommandFailed)
        assert change.outcome is None
        assert event.data.command_type == command_type
        assert (event.data.error, event.data.attempts, event.data.repeated) == (ERROR, 0, False)
