"""What one may ask WhatsApp about people."""

from gateway_contracts import CheckedNumber, ContactCheck, ContactsChecked
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs
from gateway_worker.commands.scheduler import Lane
from gateway_worker.host_protocol.methods.contacts import CheckContacts
from gateway_worker.host_protocol.wire import Person


async def check(context: Context, command: ContactCheck) -> Effect:
    """Ask which numbers are on WhatsApp; a run that was interrupted asks again."""
    session = await context.manager.find(command.subject)
    numbers = command.data.numbers
    checked = await session.request(
        CheckContacts(numbers=tuple(number.removeprefix("+") for number in numbers)),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    told = zip(numbers, checked.people, strict=True)
    return Effect(
        result=ContactsChecked(contacts=tuple(_told(number, person) for number, person in told)),
        session=session,
        library_seconds=checked.seconds,
    )


def _told(number: str, person: Person | None) -> CheckedNumber:
    if person is None:
        return CheckedNumber(number=number, on_whatsapp=False)
    return CheckedNumber(
        number=number,
        on_whatsapp=True,
        jid=person.jid,
        lid=person.lid,
        phone_number=person.phone_number,
    )


HANDLERS: dict[str, Handler] = {
    "wa.contact.check.v1": Handler(run=check, lane=Lane.QUERIES, needs=Needs.CONNECTION),
}
