"""What is committed at a command's end: its outcome, and the event that tells it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway_contracts import (
    Command,
    CommandFailed,
    CommandFailedData,
    CommandRejectedError,
    CommandScheduled,
    CommandScheduledData,
    CommandSucceeded,
    CommandSucceededData,
    CommandWarning,
    ErrorBody,
    MessageSend,
    SessionEvent,
    StatusDelete,
    StatusPost,
    WarningCode,
)
from gateway_worker.commands.handlers import Effect
from gateway_worker.commands.ports import Delivery
from gateway_worker.commands.stranded import StrandedEffect
from gateway_worker.errors import GatewayError
from gateway_worker.sessions.changes import Change, CommandState, MessageRow, Outcome
from gateway_worker.sessions.deferred import DeferredEnd, DeferredKey, DeferredRow, RowState


class Outcomes:
    """Makes the changes that end commands.

    Args:
        worker_id: This worker, the source of the events.
    """

    def __init__(self, *, worker_id: str) -> None:
        self._source = f"/workers/{worker_id}"

    def success(self, command: Command, effect: Effect, *, attempts: int) -> Change:
        """Return the good end of a command together with what it did."""
        outcome = _succeeded(command, effect, attempts=attempts)
        return Change(
            session_id=command.subject,
            epoch=None if effect.session is None else effect.session.epoch,
            events=(
                *effect.events,
                self._event(command, outcome, held_seconds=effect.held_seconds),
            ),
            outcome=outcome,
            session=effect.values,
            message=effect.message,
            bulk=effect.bulk,
            media=effect.media,
            timer=effect.timer,
            read=effect.read,
            forget=effect.forget,
            delete=effect.delete,
            transfer=effect.transfer,
        )

    def success_of(
        self, command: Command, effect: StrandedEffect, epoch: int, *, attempts: int
    ) -> Change:
        """Return the good end of a command of a session that nobody runs."""
        outcome = _succeeded(command, effect, attempts=attempts)
        return Change(
            session_id=command.subject,
            epoch=epoch,
            events=(*effect.events, self._event(command, outcome)),
            session=effect.update,
            outcome=outcome,
            delete=effect.delete,
        )

    def failure(
        self,
        command: Command,
        error: ErrorBody,
        *,
        attempts: int,
        epoch: int | None,
        message: MessageRow | None = None,
    ) -> Change:
        """Return the bad end of a command.

        Args:
            command: Which.
            error: How it failed.
            attempts: How often it was tried.
            epoch: Its session's; None if that is not ours.
            message: Of an uncertain send: what may have been sent.
        """
        outcome = Outcome(
            command_id=command.id,
            command_type=command.type,
            error=error,
            attempts=attempts,
            message_id=None if message is None else message.message_id,
            chat=None if message is None else message.chat,
        )
        return Change(
            session_id=command.subject,
            epoch=epoch,
            events=(self._event(command, outcome),),
            outcome=outcome,
            message=message,
        )

    def repetition(self, command: Command, outcome: Outcome, *, epoch: int | None) -> Change:
        """Return the announcement of an outcome that is stored already."""
        event = self._event(command, outcome, repeated=True)
        return Change(session_id=command.subject, epoch=epoch, events=(event,))

    def denial(self, command: Command, error: ErrorBody, *, epoch: int | None) -> Change:
        """Return the announcement that a command was not accepted: its id is another one's.

        That one's outcome is not touched, and the event says that it is not its.
        """
        outcome = Outcome(command_id=command.id, command_type=command.type, error=error, attempts=0)
        event = self._event(command, outcome, id_conflict=True)
        return Change(session_id=command.subject, epoch=epoch, events=(event,))

    def scheduled(
        self, command: Command, *, epoch: int | None, row: DeferredRow | None, due_at: datetime
    ) -> Change:
        """Return the announcement that a command waits for its time.

        Args:
            command: Which.
            epoch: Its session's.
            row: What is to be stored; None if it has been before.
            due_at: When its time comes.
        """
        event = CommandScheduled(
            **self._common(command),
            data=CommandScheduledData(
                command_type=command.type,
                scheduled_at=due_at,
                client_ref=client_ref_of(command),
                repeated=row is None,
            ),
        )
        return Change(session_id=command.subject, epoch=epoch, events=(event,), deferred=row)

    def refusal(
        self,
        rejected: CommandRejectedError,
        *,
        command_id: str,
        session_id: str,
        epoch: int | None,
        command_type: str | None = None,
    ) -> Change:
        """Return the announcement that a body was no command."""
        event = CommandFailed(
            source=self._source,
            subject=session_id,
            correlationid=command_id,
            data=CommandFailedData(
                command_type=rejected.command_type or command_type,
                error=rejected.error,
                attempts=0,
            ),
        )
        return Change(session_id=session_id, epoch=epoch, events=(event,))

    def _event(
        self,
        command: Command,
        outcome: Outcome,
        *,
        repeated: bool = False,
        id_conflict: bool = False,
        held_seconds: float | None = None,
    ) -> SessionEvent:
        common = self._common(command)
        if outcome.error is None and outcome.result is not None:
            return CommandSucceeded(
                **common,
                data=CommandSucceededData(
                    command_type=outcome.command_type,
                    result=outcome.result,
                    client_ref=client_ref_of(command),
                    repeated=repeated,
                    wait_ms=None if held_seconds is None else int(held_seconds * 1000),
                ),
            )
        return CommandFailed(
            **common,
            data=CommandFailedData(
                command_type=outcome.command_type,
                error=outcome.error or GatewayError().body(),
                attempts=outcome.attempts,
                client_ref=client_ref_of(command),
                message_id=outcome.message_id,
                chat=outcome.chat,
                repeated=repeated,
                id_conflict=id_conflict,
            ),
        )

    def _common(self, command: Command) -> dict[str, Any]:
        return {
            "source": self._source,
            "subject": command.subject,
            "correlationid": command.id,
            "tenantid": command.tenantid,
            "traceparent": command.traceparent,
        }


def due_at_of(command: Command) -> datetime | None:
    """Return when a command is to be executed, if its backend has said when."""
    return command.data.scheduled_at if isinstance(command, MessageSend | StatusPost) else None


def client_ref_of(command: Command) -> str | None:
    """Return what a backend calls the message that its command sends; None for no name or send."""
    match command:
        case MessageSend() | StatusPost() | StatusDelete():
            return command.data.client_ref
        case _:
            return None


def is_misrouted(delivery: Delivery, command: Command) -> bool:
    """Whether a command was not published with its session id as the routing key.

    Such a command may be in the wrong queue: it is executed, and has no order with the others.
    """
    return delivery.first_routing_key != command.subject


def warned(change: Change, delivery: Delivery, command: Command) -> Change:
    """Return a command's end with what its sender should mend."""
    if not is_misrouted(delivery, command):
        return change
    return replace(change, events=tuple(_with_warning(event) for event in change.events))


def completed(
    change: Change, delivery: Delivery, command: Command, *, stored: Outcome | None = None
) -> Change:
    """Return a command's end with that of its row, if it was put off before.

    Args:
        change: The end.
        delivery: How the command came.
        command: Which.
        stored: The outcome that it turned out to have already: that one was told then.
    """
    deferred = delivery.deferred
    if change.epoch is None:
        return change
    if deferred is None:
        if change.outcome is None or due_at_of(command) is None:
            return change
        key = DeferredKey(batch=command.id)  # a repeat may come when its time has come
    else:
        key = deferred.key
    outcome = stored or change.outcome
    state = _ROW_STATES[outcome.state if outcome is not None else CommandState.FAILED]
    if deferred is not None and stored is not None:
        change = replace(change, events=())
    return of_row(change, key, None if deferred is None else deferred.bulk_id, state)


def of_row(change: Change, key: DeferredKey, bulk_id: str | None, state: RowState) -> Change:
    """Return the end of a command with that of its row.

    Args:
        change: The command's end.
        key: The row.
        bulk_id: The bulk that it is of, if it is of one.
        state: How it has ended.
    """
    events = change.events
    if bulk_id is not None:
        events = tuple(_with(event, {"bulk_id": bulk_id, "row": key.row}) for event in events)
    return replace(change, events=events, deferred_end=DeferredEnd(key=key, state=state))


_ROW_STATES = {
    CommandState.SUCCEEDED: RowState.SUCCEEDED,
    CommandState.FAILED: RowState.FAILED,
    CommandState.UNCERTAIN: RowState.UNCERTAIN,
}


def _with(event: SessionEvent, fields: dict[str, Any]) -> SessionEvent:
    match event:
        case CommandSucceeded() | CommandFailed():
            return event.model_copy(update={"data": event.data.model_copy(update=fields)})
        case _:
            return event


def _with_warning(event: SessionEvent) -> SessionEvent:
    return _with(event, {"warnings": (_MISROUTED,)})


_MISROUTED = CommandWarning(
    code=WarningCode.MISROUTED,
    detail="publish to the exchange of commands with the session id as the routing key: a command "
    "that comes another way has no order with the session's others",
)


def _succeeded(command: Command, effect: Effect | StrandedEffect, *, attempts: int) -> Outcome:
    return Outcome(
        command_id=command.id,
        command_type=command.type,
        result=effect.result,
        attempts=attempts,
        is_kept=effect.is_kept,
    )
