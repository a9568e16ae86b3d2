"""What one may ask WhatsApp about people."""

import asyncio
from typing import Final

from gateway_contracts import (
    BlockedContact,
    Blocklist,
    CheckedNumber,
    ContactBlock,
    ContactBlocklist,
    ContactCheck,
    ContactDetails,
    ContactInfo,
    ContactLink,
    ContactLinkInfo,
    ContactLookup,
    ContactPicture,
    ContactsChecked,
    ContactsLookedUp,
    ContactUnblock,
    Done,
    LookedUp,
    PictureInfo,
    PictureState,
)
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs
from gateway_worker.commands.handlers.targets import names_the_account
from gateway_worker.commands.lanes import Lane
from gateway_worker.commands.number_checks import NumberAnswer
from gateway_worker.errors import InvalidCommandError, UnsupportedError, UpstreamTimeoutError
from gateway_worker.host_protocol.methods.contacts import (
    AskLink,
    AskPicture,
    AskProfile,
    ListBlocked,
    LookUpContacts,
    Picture,
    SetBlocked,
)
from gateway_worker.host_protocol.wire import Person
from gateway_worker.runtime import cursors
from gateway_worker.sessions.chats import chat_of

_PICTURE_SECONDS: Final = 20.0
"""How long a picture may take to come; it is small."""


async def check(context: Context, command: ContactCheck) -> Effect:
    """Ask which numbers are on WhatsApp; a run that was interrupted asks again."""
    session = await context.manager.find(command.subject)
    digits = [number.removeprefix("+") for number in command.data.numbers]
    answers = await context.checks.ask(
        session,
        digits,
        max_age_seconds=command.data.max_age_seconds,
        command_id=command.id,
        seconds_left=context.seconds_left,
    )
    told = zip(command.data.numbers, digits, strict=True)
    return Effect(
        result=ContactsChecked(
            contacts=tuple(_checked(number, answers.by_number[one]) for number, one in told)
        ),
        session=session,
        library_seconds=answers.library_seconds,
    )


async def look_up(context: Context, command: ContactLookup) -> Effect:
    """Tell which ids belong together; WhatsApp is asked about what the device does not know."""
    session = await context.manager.find(command.subject)
    people = tuple(person.removeprefix("+") for person in command.data.people)
    known = await session.request(
        LookUpContacts(people=people, asks=False),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    unknown = [
        person
        for person, found in zip(people, known.people, strict=True)
        if found is None and not person.endswith("@lid")
    ]
    if command.data.ask and unknown:
        await context.checks.pause(session.session_id, context.seconds_left())
        known = await session.request(
            LookUpContacts(people=people), command_id=command.id, seconds=context.seconds_left()
        )
    told = zip(command.data.people, known.people, strict=True)
    return Effect(
        result=ContactsLookedUp(people=tuple(_looked_up(asked, found) for asked, found in told)),
        session=session,
    )


async def info(context: Context, command: ContactInfo) -> Effect:
    """Ask what somebody shows of themselves."""
    session = await context.manager.find(command.subject)
    found = await session.request(
        AskProfile(of=command.data.contact.removeprefix("+")),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    return Effect(
        result=ContactDetails(
            jid=found.person.jid,
            lid=found.person.lid,
            phone_number=found.person.phone_number,
            about=found.about,
            verified_name=found.person.verified_name,
            picture_id=found.picture_id,
            devices=found.devices,
        ),
        session=session,
    )


async def picture(context: Context, command: ContactPicture) -> Effect:
    """Ask for a picture, and put it into the bucket if that is wished."""
    pictures = context.pictures
    if command.data.store and pictures is None:
        raise UnsupportedError("this gateway fetches no files")
    session = await context.manager.find(command.subject)
    found = await session.request(
        AskPicture(of=command.data.contact.removeprefix("+"), is_preview=command.data.preview),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    told = PictureInfo(state=_state_of(found), picture_id=found.picture_id, url=found.url)
    if found.url is None or not command.data.store or pictures is None:
        return Effect(result=told, session=session)
    left = context.seconds_left()
    seconds = _PICTURE_SECONDS if left is None else min(_PICTURE_SECONDS, left)
    try:
        async with asyncio.timeout(seconds):  # the session's other questions wait for it
            row = await pictures.fetch(
                session.session_id, found.url, of=chat_of(command.data.contact)
            )
    except TimeoutError:
        raise UpstreamTimeoutError("the picture has not come in the time that there was") from None
    linked = await pictures.linked(row)
    return Effect(result=told.model_copy(update={"media": linked}), session=session, media=row)


async def block(context: Context, command: ContactBlock | ContactUnblock) -> Effect:
    """Block somebody, or no longer.

    Raises:
        InvalidCommandError: The account would block itself.
        GatewayError: As the session says.
    """
    session = await context.manager.find(command.subject)
    contact, is_blocked = command.data.contact, isinstance(command, ContactBlock)
    if is_blocked and names_the_account(session, contact):
        raise InvalidCommandError("no account can block itself", pointer="/data/contact")
    await session.request(
        SetBlocked(contact=contact.removeprefix("+"), is_blocked=is_blocked),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    return Effect(result=Done(), session=session)


async def blocklist(context: Context, command: ContactBlocklist) -> Effect:
    """Ask whom the account has blocked; WhatsApp tells all, the backend gets a page."""
    session = await context.manager.find(command.subject)
    found = await session.request(
        ListBlocked(), command_id=command.id, seconds=context.seconds_left()
    )
    after = cursors.name_in(command.data.cursor)
    left = sorted((one for one in found.people if one.jid > after), key=lambda one: one.jid)
    page = left[: command.data.limit]
    return Effect(
        result=Blocklist(
            contacts=tuple(
                BlockedContact(jid=one.jid, lid=one.lid, phone_number=one.phone_number)
                for one in page
            ),
            next_cursor=cursors.encode((page[-1].jid,)) if len(left) > len(page) else None,
        ),
        session=session,
    )


async def link(context: Context, command: ContactLink) -> Effect:
    """Ask for the account's own link, or whose link it is.

    Raises:
        InvalidCommandError: Somebody else's link would be revoked.
        GatewayError: As the session says.
    """
    if command.data.link is not None and command.data.revoke:
        raise InvalidCommandError(
            "only the account's own link can be revoked", pointer="/data/revoke"
        )
    session = await context.manager.find(command.subject)
    found = await session.request(
        AskLink(link=command.data.link, revokes=command.data.revoke),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    person = found.person
    return Effect(
        result=ContactLinkInfo(
            link=found.link,
            jid=None if person is None else person.jid,
            push_name=None if person is None else person.push_name,
            verified_name=None if person is None else person.verified_name,
            greeting=found.message,
        ),
        session=session,
    )


def _checked(number: str, answer: NumberAnswer) -> CheckedNumber:
    person = answer.person
    if person is None:
        return CheckedNumber(number=number, on_whatsapp=False, age_seconds=answer.age_seconds)
    return CheckedNumber(
        number=number,
        on_whatsapp=True,
        jid=person.jid,
        lid=person.lid,
        phone_number=person.phone_number,
        age_seconds=answer.age_seconds,
    )


def _looked_up(asked: str, person: Person | None) -> LookedUp:
    if person is None:
        return LookedUp(person=asked, known=False)
    return LookedUp(
        person=asked,
        known=True,
        jid=person.jid,
        lid=person.lid,
        phone_number=person.phone_number,
    )


def _state_of(found: Picture) -> PictureState:
    if found.url is not None:
        return PictureState.AVAILABLE
    return PictureState.HIDDEN if found.is_hidden else PictureState.NONE


HANDLERS: dict[str, Handler] = {
    "wa.contact.check.v1": Handler(run=check, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.contact.lookup.v1": Handler(run=look_up, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.contact.info.v1": Handler(run=info, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.contact.picture.v1": Handler(run=picture, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.contact.block.v1": Handler(run=block, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.contact.unblock.v1": Handler(run=block, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.contact.blocklist.v1": Handler(run=blocklist, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.contact.link.v1": Handler(run=link, lane=Lane.QUERIES, needs=Needs.CONNECTION),
}
