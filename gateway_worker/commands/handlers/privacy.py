"""What is stored of one person: erased, or written into a file."""

from collections.abc import Sequence
from pathlib import Path

from gateway_contracts import (
    ContactErase,
    ContactErased,
    ContactErasedData,
    ContactExport,
    Erased,
)
from gateway_worker.commands.handlers.effect import Context, Effect, Handler
from gateway_worker.commands.handlers.targets import names_the_account
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import GatewayError, InvalidCommandError
from gateway_worker.sessions.changes import source_of


async def erase(context: Context, command: ContactErase) -> Effect:
    """Erase it; a run that was interrupted goes on, and tells what it has erased itself.

    Raises:
        InvalidCommandError: It is the account itself, which has written all that was ever sent.
        GatewayError: It is not erased.
    """
    if context.privacy is None:
        raise GatewayError("this worker cannot erase")
    session = await context.manager.find(command.subject)
    if names_the_account(session, command.data.contact):
        raise InvalidCommandError(
            "this is the session's own account; session.delete erases what there is of it",
            pointer="/data/contact",
        )

    held = context.manager.registry.held_session(command.subject)

    async def call_off(ids: Sequence[str]) -> None:
        if context.deferred is not None:
            await context.deferred.cancel_to(session, ids)

    async def forget(numbers: Sequence[str], command_ids: Sequence[str]) -> None:
        if context.bulks is not None:
            await context.bulks.forget(command.subject, command_ids, numbers=numbers)

    async def settle() -> None:
        if held is not None:
            await held.history_settled()

    erasure = await context.privacy.eraser.erase(
        session.session_id,
        command.data.contact,
        directory=None if held is None else held.directory,
        check=lambda: context.manager.find(command.subject),
        call_off=call_off,
        forget=forget,
        settle=settle,
    )
    event = ContactErased(
        source=source_of(context.manager.directory.worker_id),
        subject=command.subject,
        correlationid=command.id,
        tenantid=command.tenantid,
        data=ContactErasedData(counts=erasure.counts),
    )
    return Effect(
        result=Erased(counts=erasure.counts),
        session=session,
        events=(event,),
        forget=tuple(erasure.ids),
    )


async def export(context: Context, command: ContactExport) -> Effect:
    """Write it into a file; a run that was interrupted writes another one."""
    if context.privacy is None:
        raise GatewayError("this worker cannot export")
    session = await context.manager.find(command.subject)
    result = await context.privacy.exporter.export(
        session.session_id, command.data.contact, directory=_directory(context, command.subject)
    )
    return Effect(result=result, session=session)


def _directory(context: Context, session_id: str) -> Path | None:
    session = context.manager.registry.held_session(session_id)
    return None if session is None else session.directory


HANDLERS: dict[str, Handler] = {
    "wa.contact.erase.v1": Handler(run=erase, lane=Lane.FREE),
    "wa.contact.export.v1": Handler(run=export, lane=Lane.FREE),
}
