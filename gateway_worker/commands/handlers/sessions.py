"""The life of a session: create, restart, stop, logout, delete, and what one may ask of it."""

from gateway_contracts import (
    Done,
    QrInfo,
    SessionCreate,
    SessionDelete,
    SessionGetQr,
    SessionGetStatus,
    SessionLogout,
    SessionMigrate,
    SessionRestart,
    SessionStop,
    SessionUpdate,
    StatusReason,
)
from gateway_contracts.tenants import RESERVED, tenant_of
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs, Retry
from gateway_worker.commands.lanes import Lane
from gateway_worker.commands.pacing.plan import check_zones
from gateway_worker.commands.qr_images import qr_image
from gateway_worker.errors import (
    CapacityError,
    DependencyError,
    GatewayError,
    InvalidCommandError,
    SessionExistsError,
    UnsupportedError,
)
from gateway_worker.sessions.changes import Transfer


async def create(context: Context, command: SessionCreate) -> Effect:
    """Create the session here; QR codes follow as events."""
    check_zones(command.data.pacing)
    if tenant_of(command.subject) in RESERVED:
        raise InvalidCommandError("no tenant can be called that", pointer="/subject")
    try:
        session = await context.manager.create(command)
    except SessionExistsError:
        if not context.interrupted:
            raise
        session = await context.manager.find(command.subject)  # its own, from the first attempt
    return Effect(result=session.info(), session=session)


async def update(context: Context, command: SessionUpdate) -> Effect:
    """Change what the session is set to, and its notes."""
    check_zones(command.data.pacing)
    session = await context.manager.find(command.subject)
    data = await context.manager.proxies.accepted(command.subject, command.data)
    values = await session.update(data)
    return Effect(result=session.info(), session=session, values=values)


async def restart(context: Context, command: SessionRestart) -> Effect:
    """Stop the session's host if there is one, and start another."""
    session = await context.manager.find(command.subject)
    await session.stop()
    session.start(StatusReason.REQUESTED)
    return Effect(result=session.info(), session=session)


async def stop(context: Context, command: SessionStop) -> Effect:
    """Disconnect the session and leave it stopped."""
    session = await context.manager.find(command.subject)
    await session.stop()
    return Effect(result=session.info(), session=session)


async def logout(context: Context, command: SessionLogout) -> Effect:
    """Unlink the session's device from its account."""
    session = await context.manager.find(command.subject)
    await session.logout()
    return Effect(result=session.info(), session=session)


async def delete(context: Context, command: SessionDelete) -> Effect:
    """Unlink the session and remove every trace of it."""
    session = await context.manager.find(command.subject)
    if context.deferred is not None:
        context.deferred.close(session)
    try:
        if context.deferred is not None:
            await context.deferred.cancel_all(session)
        await session.destroy()
    except BaseException:
        if context.deferred is not None:
            context.deferred.reopen(session)
        raise
    context.manager.departures.forget(session)
    context.checks.forget(session.session_id)
    return Effect(result=Done(), session=session, delete=True)


async def migrate(context: Context, command: SessionMigrate) -> Effect:
    """Give the session to another worker, which connects it without a new QR code."""
    manager = context.manager
    session = await manager.find(command.subject)
    wished = command.data.to
    if wished == manager.directory.worker_id:
        return Effect(result=session.info(), session=session)
    target = await manager.directory.place(
        wished
    )  # asked first: it stays connected if nobody takes it
    if target is None:
        raise CapacityError(
            f"the worker {wished} cannot take the session" if wished else "no other worker has room"
        )
    if not manager.directory.is_portable:
        raise UnsupportedError("sessions cannot move: the gateway has no SNAPSHOT_KEYS")
    if not await manager.directory.is_listening(target):
        silent = f"the worker {target} does not answer"
        raise CapacityError(silent) if wished else DependencyError(silent)
    try:
        await session.quiesce(StatusReason.HANDED_OVER)
    except GatewayError:
        session.resume()
        raise
    info = session.info().model_copy(update={"worker": target})
    return Effect(result=info, session=session, transfer=Transfer(to_worker=target))


async def get_status(context: Context, command: SessionGetStatus) -> Effect:
    """Tell how the session stands."""
    session = await context.manager.find(command.subject)
    return Effect(result=session.info(), session=session)


async def get_qr(context: Context, command: SessionGetQr) -> Effect:
    """Tell the QR code that can be scanned now."""
    session = await context.manager.find(command.subject)
    qr = session.qr.current()
    png = await qr_image(qr.code) if command.data.png else None
    return Effect(result=QrInfo(code=qr.code, expires_at=qr.expires_at, png=png), session=session)


HANDLERS: dict[str, Handler] = {
    "wa.session.create.v1": Handler(run=create, retry=Retry.IN_BROKER),
    "wa.session.update.v1": Handler(run=update),
    "wa.session.restart.v1": Handler(run=restart),
    "wa.session.stop.v1": Handler(run=stop),
    "wa.session.logout.v1": Handler(run=logout, needs=Needs.CONNECTION),
    "wa.session.delete.v1": Handler(run=delete),
    "wa.session.migrate.v1": Handler(run=migrate),
    "wa.session.get_status.v1": Handler(run=get_status, lane=Lane.LOOKUPS),
    "wa.session.get_qr.v1": Handler(run=get_qr, lane=Lane.LOOKUPS, needs=Needs.QR),
}
