"""What one may do about calls."""

from gateway_contracts import CallReject, Done
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs
from gateway_worker.commands.lanes import Lane
from gateway_worker.host_protocol.methods.calls import RejectCall


async def reject(context: Context, command: CallReject) -> Effect:
    """Refuse a call; a run that was interrupted refuses it again."""
    session = await context.manager.find(command.subject)
    call = RejectCall(call_id=command.data.call_id, caller=command.data.caller.removeprefix("+"))
    await session.request(call, command_id=command.id, seconds=context.seconds_left())
    return Effect(result=Done(), session=session)


HANDLERS: dict[str, Handler] = {
    "wa.call.reject.v1": Handler(run=reject, lane=Lane.QUERIES, needs=Needs.CONNECTION),
}
