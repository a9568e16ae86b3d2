"""What a run that was interrupted has brought about: its effect, or what it may have sent."""

from dataclasses import replace

import structlog

from gateway_contracts import Command
from gateway_worker.commands.attempts import Attempts
from gateway_worker.commands.handlers import HANDLERS, Context, Effect, MessageId, Once
from gateway_worker.commands.ports import Entry
from gateway_worker.commands.preparation import Preparation
from gateway_worker.errors import RetryableError, UncertainError
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.sessions.changes import MessageRow
from gateway_worker.sessions.ownership.manager import OwnedElsewhereError
from gateway_worker.sessions.send_journal import (
    Acknowledged,
    NotSubmitted,
    Rejected,
    Submitted,
    Unknown,
)
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)


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

        A run that has had its effect stays the one to be asked about until that effect is in hand:
        whatever prevents it, the command is never run anew.

        Raises:
            RetryableError: That cannot be found out now; it may be asked again.
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
        if isinstance(trace, Acknowledged):
            effect = await self._effect_of_sent(session, command, trace, once)
            self._attempts.traced(command)
            return effect
        self._attempts.traced(command)
        if isinstance(trace, NotSubmitted | Rejected):
            return None
        if runs_again and once.may_repeat(command):
            return None
        detail = "the worker stopped while it was sending; it may have been sent"
        if isinstance(trace, Submitted):
            raise UncertainError(detail, chat=trace.chat, message_id=trace.message_id)
        raise UncertainError(detail)

    async def _effect_of_sent(
        self, session: Session, command: Command, trace: Acknowledged, once: Once
    ) -> Effect:
        """Return the effect that a run is known to have had. Raises as `effect_of`."""
        try:
            return await once.effect_of(self._context, session, command, trace.result)
        except (RetryableError, OwnedElsewhereError):
            raise
        except Exception as error:  # it is done: that nobody can say what of it is no failure
            log.exception("command.effect_not_known")
            detail = "it was done before the worker stopped, and what came of it cannot be told"
            sent = trace.result if isinstance(trace.result, Sent) else None
            if sent is None:
                raise UncertainError(detail) from error
            raise UncertainError(detail, chat=sent.chat, message_id=sent.message_id) from error

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
