"""What a run that was interrupted has brought about: its effect, or what it may have sent."""

from dataclasses import replace

from gateway_contracts import Command
from gateway_worker.commands.attempts import Attempts
from gateway_worker.commands.handlers import HANDLERS, Context, Effect, MessageId, Once
from gateway_worker.commands.ports import Entry
from gateway_worker.commands.preparation import Preparation
from gateway_worker.errors import UncertainError
from gateway_worker.sessions.changes import MessageRow
from gateway_worker.sessions.send_journal import (
    Acknowledged,
    NotSubmitted,
    Rejected,
    Submitted,
    Unknown,
)


class InterruptedRuns:
    """Finds out what became of runs of commands that ended before they could tell.

    Args:
        context: What handlers work with.
        attempts: Hears that a run has been traced.
    """

    def __init__(self, *, context: Context, attempts: Attempts) -> None:
        self._context = context
        self._manager = context.manager
        self._attempts = attempts

    async def effect_of(
        self, command: Command, entry: Entry, once: Once, *, runs_again: bool = True
    ) -> Effect | None:
        """Return what an interrupted run has brought about; None if it may be run (again).

        Args:
            command: Which.
            entry: What the inbox says of it.
            once: How it is kept from being done twice.
            runs_again: Whether it is executed if it may be; otherwise None says that it has had no
                effect.

        Raises:
            UncertainError: It may have had its effect, and must not have it twice.
        """
        session = await self._manager.find(command.subject)
        trace = await session.earlier_sends.trace_of(
            command.id,
            worker_id=entry.previous_worker,
            epoch=entry.previous_epoch,
            began=entry.received_at,
        )
        if isinstance(trace, Unknown) and entry.found is not None:
            trace = entry.found.trace
        self._attempts.traced(command)
        if isinstance(trace, Acknowledged):
            return await once.effect_of(self._context, session, command, trace.result)
        if isinstance(trace, NotSubmitted | Rejected):
            return None
        if runs_again and once.may_repeat(command):
            return None
        detail = "the worker stopped while it was sending; it may have been sent"
        if isinstance(trace, Submitted):
            raise UncertainError(detail, chat=trace.chat, message_id=trace.message_id)
        raise UncertainError(detail)

    async def message_of(
        self, command: Command, error: UncertainError, preparation: Preparation | None
    ) -> MessageRow | None:
        """Return the message that a command may have sent, if it is known which one that is."""
        once = HANDLERS[command.type].once
        message_of = None if once is None else once.message_of
        if message_of is None or error.chat is None or error.message_id is None:
            return None
        session = self._manager.registry.find(command.subject)
        if session is None:
            return None
        which = MessageId(chat=error.chat, message_id=error.message_id)
        context = replace(self._context, preparation=preparation)
        return await message_of(context, session, command, which)
