"""Calls."""

from collections.abc import Mapping
from typing import Any, Final

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.methods.calls import RejectCall
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.whatsapp.convert.recipients import RecipientError, recipient
from gateway_worker.whatsapp.host.jids import parse_jid
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask
from gateway_worker.whatsapp.host.sending import SendFailedError


def reject(tools: Tools, _request: Request, call: RejectCall) -> Done:
    """Refuse a call; WhatsApp says nothing to that."""
    try:
        caller = recipient(call.caller)
    except RecipientError as error:
        failure = Failure(kind=FailureKind.INVALID, detail=str(error))
        raise SendFailedError(failure) from None
    client = tools.library.client
    ask(lambda: client.reject_call(parse_jid(caller), call.call_id), "the refusal of a call")
    return Done()


RUNS: Final[Mapping[type[Any], Run]] = {RejectCall: reject}
