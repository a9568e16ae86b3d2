"""People, as WhatsApp knows them."""

import time
from collections.abc import Mapping
from typing import Any, Final

from neonize.proto.Neonize_pb2 import (
    GetProfilePictureParams,
    GetProfilePictureReturnFunction,
)
from neonize.utils.enum import BlocklistAction

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.methods.contacts import (
    AskLink,
    AskPicture,
    AskProfile,
    Blocked,
    CheckContacts,
    Checked,
    Known,
    Link,
    ListBlocked,
    LookUpContacts,
    Picture,
    Profile,
    SetBlocked,
)
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.failures import ONE_MORE, query_failure
from gateway_worker.whatsapp.convert.people import LID_SERVER, PHONE_SERVER, without_device
from gateway_worker.whatsapp.convert.recipients import GROUP_SERVER
from gateway_worker.whatsapp.convert.texts import clean, short
from gateway_worker.whatsapp.host.jids import parse_jid
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask
from gateway_worker.whatsapp.host.native import Library
from gateway_worker.whatsapp.host.sending import SendFailedError

_QR_PREFIX: Final = "https://wa.me/qr/"
_MESSAGE_PREFIX: Final = "https://wa.me/message/"
_NO_PICTURE: Final = "does not have a profile picture"
_NO_LINK: Final = "does not exist or has been revoked"
_HIDDEN_PICTURE: Final = "hidden their profile picture"


def check(tools: Tools, _request: Request, call: CheckContacts) -> Checked:
    """Ask who has each number; WhatsApp names them as it writes them itself."""
    started = time.monotonic()
    people = _answered(tools.library, *call.numbers)
    return Checked(
        people=tuple(people.get(number) for number in call.numbers),
        unanswered=tuple(
            place for place, number in enumerate(call.numbers) if number not in people
        ),
        seconds=time.monotonic() - started,
    )


def look_up(tools: Tools, _request: Request, call: LookUpContacts) -> Known:
    """Tell people's ids from the device store, and ask only about numbers that it lacks."""
    library = tools.library
    known = {one: _in_store(library, one) for one in dict.fromkeys(call.people)}
    missing = [one for one, person in known.items() if person is None and _is_number(one)]
    if missing and call.asks:
        digits = {one: one.partition("@")[0] for one in missing}
        found = _answered(library, *digits.values())
        known |= {one: _whole(found.get(number)) for one, number in digits.items()}
    return Known(people=tuple(known[one] for one in call.people))


def profile(tools: Tools, _request: Request, call: AskProfile) -> Profile:
    """Ask what somebody shows of themselves."""
    known = tools.sender.person(call.of)
    jid = known.lid or known.jid
    found = ask(lambda: tools.library.client.get_user_info(parse_jid(jid)), "the profile")
    if not found:
        # It is known that there is somebody; of nobody it would have said so.
        detail = "WhatsApp has left this person out of its answer"
        raise SendFailedError(Failure(kind=FailureKind.TIMED_OUT, detail=detail, attempts=ONE_MORE))
    if call.of.endswith(f"@{LID_SERVER}") and _is_nobody(found[0].UserInfo):
        detail = "WhatsApp knows nobody by this id"
        raise SendFailedError(Failure(kind=FailureKind.UNKNOWN_RECIPIENT, detail=detail))
    told = found[0].UserInfo
    return Profile(
        person=_person(tools.library, jid, verified_name=_verified_name(tools, known.jid)),
        about=clean(told.Status) or None,
        picture_id=short(told.PictureID) or None,
        devices=len(told.Devices),
    )


def _is_nobody(told: Any) -> bool:
    """Whether WhatsApp tells nothing of an id: who there is has a phone, which is a device."""
    return not (told.Devices or told.Status or told.PictureID)


def _verified_name(tools: Tools, jid: str) -> str | None:
    """Return a business's certified name, which the library tells of numbers only."""
    user, _, server = jid.partition("@")
    if server != PHONE_SERVER:
        return None
    client = tools.library.client
    found = ask(lambda: client.is_on_whatsapp(f"+{user}"), "the certified name")
    return short(found[0].VerifiedName.Details.verifiedName) or None if found else None


def picture(tools: Tools, _request: Request, call: AskPicture) -> Picture:
    """Ask where a picture is; that there is none, or none to be seen, is an answer too."""
    jid = call.of
    if not jid.endswith(f"@{GROUP_SERVER}"):
        known = tools.sender.person(jid)
        jid = known.lid or known.jid
    # The library heeds the first of these only if all three are there.
    wanted = GetProfilePictureParams(Preview=call.is_preview, ExistingID="", IsCommunity=False)
    said = GetProfilePictureReturnFunction.FromString(
        tools.library.entry("GetProfilePicture", parse_jid(jid), wanted)
    )
    if _HIDDEN_PICTURE in said.Error:
        return Picture(is_hidden=True)
    if _NO_PICTURE in said.Error or (not said.Error and not said.Picture.URL):
        return Picture()
    if said.Error:
        raise SendFailedError(query_failure(said.Error, "the picture"))
    return Picture(url=clean(said.Picture.URL), picture_id=short(said.Picture.ID) or None)


def block(tools: Tools, _request: Request, call: SetBlocked) -> Done:
    """Block somebody, or no longer."""
    known = tools.sender.person(call.contact)
    action = BlocklistAction.BLOCK if call.is_blocked else BlocklistAction.UNBLOCK
    jid = parse_jid(known.lid or known.jid)
    ask(lambda: tools.library.client.update_blocklist(jid, action), "the change of the blocklist")
    return Done()


def blocklist(tools: Tools, _request: Request, _call: ListBlocked) -> Blocked:
    """Ask whom the account has blocked."""
    library = tools.library
    found = ask(library.client.get_blocklist, "the blocklist")
    jids = (f"{clean(one.User)}@{clean(one.Server)}" for one in found.JIDs)
    return Blocked(people=tuple(_person(library, jid) for jid in jids))


def link(tools: Tools, _request: Request, call: AskLink) -> Link:
    """Ask for the account's own link, or whose link it is."""
    client = tools.library.client
    if call.link is None:
        code = ask(lambda: client.get_contact_qr_link(call.revokes), "the link").strip("/")
        return Link(link=_QR_PREFIX + clean(code.rpartition("/")[2]))
    is_message = call.link.startswith(_MESSAGE_PREFIX)
    code = call.link.removeprefix(_MESSAGE_PREFIX).removeprefix(_QR_PREFIX)
    resolve = client.resolve_business_message_link if is_message else client.resolve_contact_qr_link
    try:
        found: Any = resolve(code)
    except Exception as error:  # noqa: BLE001 - the library's errors differ by their text only
        raise SendFailedError(_link_failure(str(error))) from None
    jid = f"{clean(found.JID.User)}@{clean(found.JID.Server)}"
    name = short(found.VerifiedName) or None if is_message else None
    return Link(
        link=call.link,
        person=_person(
            tools.library, jid, push_name=short(found.PushName) or None, verified_name=name
        ),
        message=(clean(found.Message) or None) if is_message else None,
    )


def _link_failure(text: str) -> Failure:
    if _NO_LINK in text:
        return Failure(kind=FailureKind.REJECTED, detail="there is no such link, or not any more")
    return query_failure(text, "the link")


def _answered(library: Library, *numbers: str) -> Mapping[str, Person | None]:
    """Ask who has each number (digits); returns those of which WhatsApp has said anything.

    Raises:
        SendFailedError: It has said nothing of any.
    """
    wanted = tuple(dict.fromkeys(numbers))
    holders = ask(lambda: library.who_has(*wanted), "the look-up of numbers")
    return {
        one.number: _person(library, one.jid) if one.is_on_whatsapp else None
        for one in holders
        if one.number in wanted
    }


def _person(
    library: Library, jid: str, *, push_name: str | None = None, verified_name: str | None = None
) -> Person:
    """Return a person by the id that WhatsApp named; the other one as far as it is known."""
    user, _, server = jid.partition("@")
    if server != LID_SERVER:
        lid = library.lid_of(jid)
        return Person(
            jid=jid,
            lid=None if lid is None else without_device(lid),
            phone_number=f"+{user}",
            push_name=push_name,
            verified_name=verified_name,
        )
    phone = library.phone_of(user)
    if phone is None:
        return Person(jid=jid, lid=jid, push_name=push_name, verified_name=verified_name)
    return Person(
        jid=f"{phone}@{PHONE_SERVER}",
        lid=jid,
        phone_number=f"+{phone}",
        push_name=push_name,
        verified_name=verified_name,
    )


def _in_store(library: Library, text: str) -> Person | None:
    """Return somebody of whom the store knows both ids."""
    jid = without_device(text) if "@" in text else f"{text}@{PHONE_SERVER}"
    return _whole(_person(library, jid))


def _whole(person: Person | None) -> Person | None:
    """Return somebody if both ids are known."""
    if person is None or person.lid is None or person.phone_number is None:
        return None
    return person


def _is_number(text: str) -> bool:
    return not text.endswith(f"@{LID_SERVER}")


RUNS: Final[Mapping[type[Any], Run]] = {
    CheckContacts: check,
    LookUpContacts: look_up,
    AskProfile: profile,
    AskPicture: picture,
    SetBlocked: block,
    ListBlocked: blocklist,
    AskLink: link,
}
