"""Presence: whether the account is there, and whose presence is told."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from neonize.utils.enum import Presence

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.host_protocol.methods.presence import SetPresence, SubscribePresence
from gateway_worker.whatsapp.convert.failures import query_failure
from gateway_worker.whatsapp.host.jids import parse_jid
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask
from gateway_worker.whatsapp.host.sending import SendFailedError

_STATES: Final = {"available": Presence.AVAILABLE, "unavailable": Presence.UNAVAILABLE}
_NO_NAME: Final = "without PushName"
"""In the library's error: the phone has not told the account's name yet, nor has anybody set it."""


def set_presence(tools: Tools, _request: Request, call: SetPresence) -> Done:
    """Show that the account is there, or no longer."""
    show(tools, call.state)
    return Done()


def subscribe_presence(tools: Tools, _request: Request, call: SubscribePresence) -> Done:
    """Have people's presence told."""
    for place, person in enumerate(call.people, start=1):
        try:
            subscribe(tools, person)
        except SendFailedError as error:
            raise SendFailedError(_of_one(error.failure, place, len(call.people))) from None
    return Done()


def _of_one(failure: Failure, place: int, number: int) -> Failure:
    """Say whose subscription has failed, by the place: numbers stand in no error."""
    if number == 1:
        return failure
    return msgspec.structs.replace(
        failure, detail=f"{failure.detail} (contact {place} of {number})"
    )


def restore(tools: Tools) -> None:
    """Tell WhatsApp what it has forgotten with the connection before."""
    tools.presence.restore(
        lambda state: show(tools, state), lambda person: subscribe(tools, person)
    )


def show(tools: Tools, state: str) -> None:
    """Tell WhatsApp of the account's presence. Raises `SendFailedError`."""
    try:
        tools.library.client.send_presence(_STATES[state])
    except Exception as error:  # noqa: BLE001 - the library's errors differ by their text only
        if _NO_NAME in str(error):
            detail = "the account has no name yet, and so cannot be shown; profile.set gives it one"
            failure = Failure(kind=FailureKind.NOT_BEGUN, detail=detail, attempts=1)
        else:
            failure = query_failure(str(error), "the account's presence")
        raise SendFailedError(failure) from None
    tools.presence.told_state(state)


def subscribe(tools: Tools, person: str) -> None:
    """Have WhatsApp tell somebody's presence. Raises `SendFailedError`."""
    known = tools.sender.person(person)
    jid = parse_jid(known.lid or known.jid)
    ask(lambda: tools.library.client.subscribe_presence(jid), "the subscription")
    tools.presence.told_of(person)


RUNS: Final[Mapping[type[Any], Run]] = {
    SetPresence: set_presence,
    SubscribePresence: subscribe_presence,
}
