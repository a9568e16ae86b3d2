"""People, as WhatsApp knows them."""

import time
from collections.abc import Mapping
from typing import Any, Final

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.methods.contacts import CheckContacts, Checked
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.people import LID_SERVER, PHONE_SERVER, without_device
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask
from gateway_worker.whatsapp.host.native import Library
from gateway_worker.whatsapp.host.sending import SendFailedError


def check(tools: Tools, _request: Request, call: CheckContacts) -> Checked:
    """Ask who has each number; WhatsApp names them as it writes them itself."""
    library, numbers = tools.library, tuple(dict.fromkeys(call.numbers))
    started = time.monotonic()
    holders = ask(lambda: library.who_has(*numbers), "the look-up of numbers")
    seconds = time.monotonic() - started
    found = {one.number: one for one in holders}
    if not found.keys() >= set(numbers):
        detail = "WhatsApp did not answer for all numbers"
        raise SendFailedError(Failure(kind=FailureKind.TIMED_OUT, detail=detail))
    people = {
        number: _person(library, found[number].jid) if found[number].is_on_whatsapp else None
        for number in numbers
    }
    return Checked(people=tuple(people[number] for number in call.numbers), seconds=seconds)


def _person(library: Library, jid: str) -> Person:
    """Return a person by the id that WhatsApp named; the other one as far as it is known."""
    user, _, server = jid.partition("@")
    if server != LID_SERVER:
        lid = library.lid_of(jid)
        return Person(
            jid=jid, lid=None if lid is None else without_device(lid), phone_number=f"+{user}"
        )
    phone = library.phone_of(user)
    if phone is None:
        return Person(jid=jid, lid=jid)
    return Person(jid=f"{phone}@{PHONE_SERVER}", lid=jid, phone_number=f"+{phone}")


RUNS: Final[Mapping[type[Any], Run]] = {CheckContacts: check}
