"""Who exists: accounts, found by phone number or LID, and their devices."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.devices import PHONE, DeviceRecord
from gateway_worker.sandbox.service.errors import AccountExistsError, UnknownAccountError
from gateway_worker.sandbox.service.mailbox import Mailbox
from gateway_worker.sandbox.service.numbers import derived_lid, other_spellings
from gateway_worker.sandbox.service.profile import Profile
from gateway_worker.sandbox.wire.jid import LID_SERVER, PN_SERVER, Jid, lid, pn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway_worker.sandbox.service.devices import Phone
    from gateway_worker.sandbox.service.reachout import ContactToken, Timelock
    from gateway_worker.sandbox.signal.keys import PreKeyBundle, PublicPreKey

MAX_DEVICE: Final = 255


@dataclass(slots=True, eq=False)
class Account:
    """A phone number with its devices; mutable state of the service, only read by others.

    Attributes:
        number: address by phone number, device 0.
        lid: address by LID, device 0. Stanzas between accounts use this one.
        push_name: shown to those it writes to.
        devices: by device number; 0 is the phone.
        phone: the simulated phone while it is switched on.
        trusted: LID or number addresses it gave a privacy token to, and when.
        blocked: LID addresses it does not want to hear of.
        hides_number: whether nobody learns its number: others know it by LID only.
        chats: digits of the LIDs of those with whom it has exchanged messages.
        contact_tokens: privacy tokens it gave, by the digits of the receiver's LID.
        timelock: until when it may not begin chats, and why.
        contacts_add: whether only contacts may add it to groups: who wrote with it before.
        status_audience: who alone may see its status messages; None is all its contacts.
        watchers: LID addresses of devices that may hold its device list in a cache.
        subscribers: LID addresses of devices that want to know whether it is online.
        profile: what it shows of itself.
        app_state: sealed patches that its devices have made, by the name of what they change.
        last_device: the device number given last; numbers are used again only after 255.
    """

    number: Jid
    lid: Jid
    push_name: str
    devices: dict[int, DeviceRecord] = field(default_factory=dict)
    phone: Phone | None = None
    trusted: dict[Jid, str] = field(default_factory=dict)
    blocked: set[Jid] = field(default_factory=set)
    hides_number: bool = False
    chats: set[str] = field(default_factory=set)
    contact_tokens: dict[str, ContactToken] = field(default_factory=dict)
    timelock: Timelock | None = None
    contacts_add: bool = False
    status_audience: tuple[Jid, ...] | None = None
    watchers: set[Jid] = field(default_factory=set)
    subscribers: set[Jid] = field(default_factory=set)
    profile: Profile = field(default_factory=Profile)
    app_state: dict[str, list[bytes]] = field(default_factory=dict)
    last_device: int = PHONE

    @property
    def addresses(self) -> tuple[Jid, ...]:
        """LID addresses of all devices, the phone first."""
        return tuple(self.devices[number].lid for number in sorted(self.devices))

    @property
    def companions(self) -> tuple[DeviceRecord, ...]:
        """All devices but the phone, lowest number first."""
        return tuple(record for number, record in sorted(self.devices.items()) if number != PHONE)

    def can_be_added_by(self, other: Account) -> bool:
        """Tell whether somebody may add it to groups."""
        return not self.contacts_add or other.lid.user in self.chats

    def switch_on(self, phone: Phone) -> None:
        """Attach the phone: what waited for it is delivered before this returns, in order."""
        self.phone = phone
        self.devices[PHONE].mailbox.open(phone)

    def switch_off(self) -> None:
        """Detach the phone: what comes for it waits. A no-op while it is off."""
        if self.phone is not None:
            self.devices[PHONE].mailbox.close(self.phone)
            self.phone = None

    def next_device(self) -> int:
        """The number that the next companion gets; also fits as its key index.

        Raises:
            UnknownAccountError: all device numbers are taken.
        """
        for step in range(MAX_DEVICE):
            number = (self.last_device + step) % MAX_DEVICE + 1
            if number not in self.devices:
                return number
        raise UnknownAccountError("no device number is free")


class Accounts:
    """All accounts. Addresses may be by number or by LID, with or without device."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_address: dict[tuple[str, str], Account] = {}

    def __iter__(self) -> Iterator[Account]:
        return (
            account for (server, _), account in self._by_address.items() if server == LID_SERVER
        )

    def register(
        self,
        *,
        number: str,
        push_name: str,
        bundle: PreKeyBundle,
        prekeys: Iterable[PublicPreKey],
        lid_user: str | None = None,
        hides_number: bool = False,
    ) -> Account:
        """Register an account with its phone's keys.

        Args:
            number: digits with country code.
            push_name: may be empty.
            bundle: the phone's published keys; its identity also signs for companions.
            prekeys: the phone's one-time prekeys.
            lid_user: digits of the LID; derived from the number when not given.
            hides_number: see `Account`.

        Raises:
            AccountExistsError: see `add`.
        """
        account = self.add(
            number=number, push_name=push_name, lid_user=lid_user or derived_lid(number)
        )
        account.hides_number = hides_number
        account.devices[PHONE] = DeviceRecord(
            number=account.number,
            lid=account.lid,
            mailbox=Mailbox(confirms=False),
            bundle=bundle,
            prekeys=deque(prekeys),
        )
        return account

    def add(self, *, number: str, push_name: str, lid_user: str) -> Account:
        """Register an account without devices.

        Raises:
            AccountExistsError: the number, in any of its spellings, or the LID is taken.
        """
        keys = ((PN_SERVER, number), (LID_SERVER, lid_user))
        if self.find_contact(number) or self.find(lid(lid_user)):
            raise AccountExistsError("the number or its LID is already registered")
        account = Account(number=pn(number), lid=lid(lid_user), push_name=push_name)
        for key in keys:
            self._by_address[key] = account
        return account

    def find(self, address: Jid) -> Account | None:
        """The account at an address, whatever its device."""
        return self._by_address.get((address.server, address.user))

    def find_contact(self, digits: str) -> Account | None:
        """The account with a phone number as people write it.

        The service knows an account by one number; in some countries the same number is also
        written another way, and only this look-up knows that.
        """
        written = (digits, *other_spellings(digits))
        return next((found for one in written if (found := self.find(pn(one)))), None)

    def get(self, address: Jid) -> Account:
        """The account at an address.

        Raises:
            UnknownAccountError: nobody has it.
        """
        account = self.find(address)
        if account is None:
            raise UnknownAccountError("nobody has this address")
        return account

    def forget_subscriptions(self, device: Jid) -> None:
        """Tell a device nobody's presence any more: its connection has ended."""
        for account in self:
            account.subscribers.discard(device)

    def find_device(self, address: Jid) -> DeviceRecord | None:
        """The device at an address; device 0 is the phone."""
        account = self.find(address)
        return account.devices.get(address.device) if account else None

    def device(self, address: Jid) -> DeviceRecord:
        """The device at an address.

        Raises:
            UnknownAccountError: there is none.
        """
        record = self.find_device(address)
        if record is None:
            raise UnknownAccountError("no such device")
        return record
