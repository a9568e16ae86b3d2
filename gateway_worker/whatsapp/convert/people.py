"""Who is who: phone-number JIDs, LIDs and the account's own ids.

WhatsApp names a person by phone number (`…@s.whatsapp.net`) or by a LID (`…@lid`) that hides it,
and most stanzas bring only one of the two. Backends know people by number, so that one leads.
"""

from collections.abc import Callable
from typing import Any, Final

from gateway_worker.host_protocol.ids import ID_CHARACTERS
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.texts import clean, short, short_id

PHONE_SERVER: Final = "s.whatsapp.net"
LID_SERVER: Final = "lid"
_SAME_SERVER: Final = {"hosted": PHONE_SERVER, "c.us": PHONE_SERVER, "hosted.lid": LID_SERVER}

REMEMBERED_PEOPLE: Final = 1_000

PhoneOf = Callable[[str], str | None]
"""Returns the phone number (digits) that belongs to a LID's user part, if that is known."""


def remembering(phone_of: PhoneOf) -> PhoneOf:
    """Ask the store once about each LID that has a number; every look-up there is a query."""
    known: dict[str, str] = {}

    def remembered(lid: str) -> str | None:
        phone = known.get(lid)
        if phone is None and (phone := phone_of(lid)) is not None:
            if len(known) >= REMEMBERED_PEOPLE:
                known.clear()
            known[lid] = phone
        return phone

    return remembered


class People:
    """Turns JIDs into people.

    Args:
        phone_of: What the device store knows about LIDs.
        own: The account itself, as far as it is known yet.
    """

    def __init__(self, *, phone_of: PhoneOf, own: Person | None = None) -> None:
        self._phone_of = phone_of
        self.own = own

    def person(self, jid: Any, other: Any = None, *, push_name: str = "") -> Person:
        """Return the person of a JID; `other` is the second id, if the stanza had one."""
        phone, lid = self._phone_and_lid(jid, other)
        name = short(push_name) or None
        if phone is None:
            return Person(jid=address(jid), lid=lid, push_name=name)
        return Person(
            jid=short_id(f"{phone}@{PHONE_SERVER}"),
            lid=lid,
            phone_number=f"+{phone}",
            push_name=name,
        )

    def myself(self, jid: Any, other: Any = None) -> Person:
        """Return the account itself, as the writer of a message."""
        own = self.own
        if own is None:
            return self.person(jid, other)
        return Person(
            jid=without_device(own.jid),
            lid=None if own.lid is None else without_device(own.lid),
            phone_number=own.phone_number,
            push_name=own.push_name,
        )

    def chat(self, jid: Any, other: Any = None) -> str:
        """Return a conversation's id: a person's phone-number JID when known, else as it is."""
        return self.person(jid, other).jid

    def is_me(self, text: str) -> bool:
        """Whether a JID that was written as text is the account's own, as far as that is known."""
        own = self.own
        known = () if own is None else (own.jid, own.lid or "")
        return without_device(text) in {without_device(one) for one in known}

    def named(self, text: str) -> str:
        """Return a JID that was written as text, by phone number when that is known."""
        user, _, server = without_device(short_id(text)).partition("@")
        if _SAME_SERVER.get(server, server) != LID_SERVER:
            return f"{user}@{server}" if server else user
        phone = self._phone_of(user)
        return f"{user}@{LID_SERVER}" if phone is None else f"{phone}@{PHONE_SERVER}"

    def _phone_and_lid(self, jid: Any, other: Any) -> tuple[str | None, str | None]:
        phone = lid = None
        for one in (jid, other):
            if one is None or not one.User:
                continue
            server = _server(one)
            if server == PHONE_SERVER:
                phone = phone or clean(one.User)
            elif server == LID_SERVER:
                lid = lid or clean(one.User)
        if phone is None and lid is not None:
            phone = self._phone_of(lid)
        return phone, None if lid is None else short_id(f"{lid}@{LID_SERVER}")


def address(jid: Any) -> str:
    """Return a JID as `user@server`, without its device."""
    server = clean(_server(jid))
    return short_id(f"{clean(jid.User)}@{server}" if jid.User else server)


def is_address(jid: Any) -> bool:
    """Whether a JID is told as it is: it names somebody, in text that is not too long."""
    user, server = jid.User, jid.Server
    if isinstance(user, bytes) or isinstance(server, bytes) or not (user and server):
        return False
    return len(user) + len(server) < ID_CHARACTERS and "\x00" not in user + server


def device_address(jid: Any) -> str:
    """Return a JID as `user:device@server`, which is what a resume needs."""
    device = f":{jid.Device}" if jid.Device else ""
    return f"{jid.User}{device}@{jid.Server}"


def without_device(text: str) -> str:
    """Remove the device from a JID that is written as text."""
    user, at, server = text.partition("@")
    return f"{user.partition(':')[0].partition('.')[0]}{at}{server}"


def account(device: Any) -> Person:
    """Return the account that a device record of the library belongs to."""
    jid, lid = device.JID, device.LID
    return Person(
        jid=device_address(jid),
        lid=device_address(lid) if lid.User else None,
        phone_number=f"+{jid.User}",
        push_name=short(device.PushName or device.BussinessName) or None,
    )


def _server(jid: Any) -> str:
    server: str = jid.Server
    return _SAME_SERVER.get(server, server)
