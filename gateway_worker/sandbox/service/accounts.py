"""The service's own records: accounts, their devices, what waits for each of them."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from gateway_worker.sandbox.service.errors import AccountExistsError, UnknownAccountError
from gateway_worker.sandbox.service.interface import AccountInfo, Device, KeyBundle, Phone, PreKey
from gateway_worker.sandbox.wire.jid import LID_SERVER, PN_SERVER, Jid, lid, pn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.service.faults import StreamEnd
    from gateway_worker.sandbox.service.mailbox import Mailbox

PHONE: Final = 0
MAX_DEVICE: Final = 255
REMEMBERED_MESSAGES: Final = 2048
_MOBILE_MARKS: Final = (("55", 2, "9", 8), ("52", 0, "1", 10), ("54", 0, "9", 10))
"""Country, digits of the area before the mark, the mark, digits behind it."""


class CompanionLink(Device, Protocol):
    """A companion's connection that is logged in."""

    def drop(self) -> None:
        """Cut it without a word."""

    def end(self, end: StreamEnd) -> None:
        """End it with a stream error."""


@dataclass(slots=True, eq=False)
class DeviceRecord:
    """One device of an account; mutable state of the service, never handed out.

    Attributes:
        number: address by phone number.
        lid: address by LID.
        mailbox: what waits for it, and the way to it while it is online.
        bundle: published keys; `None` before the first publication.
        prekeys: one-time prekeys nobody has taken.
        noise_public: the key that its logins must prove; empty for a phone.
        link: its logged-in connection; always `None` for a phone.
        low_notice_due: whether the next shortage of prekeys is still to be told.
        logins: successful logins.
        seen: messages relayed lately as (target, id), oldest first, to recognise repeats.
    """

    number: Jid
    lid: Jid
    mailbox: Mailbox
    bundle: KeyBundle | None = None
    prekeys: deque[PreKey] = field(default_factory=deque)
    noise_public: bytes = b""
    link: CompanionLink | None = None
    low_notice_due: bool = True
    logins: int = 0
    seen: dict[tuple[Jid, str], None] = field(default_factory=dict)

    def is_repeat(self, target: Jid, message_id: str) -> bool:
        """Remember a message; whether it was known already."""
        key = (target, message_id)
        if key in self.seen:
            return True
        self.seen[key] = None
        if len(self.seen) > REMEMBERED_MESSAGES:
            del self.seen[next(iter(self.seen))]
        return False


@dataclass(slots=True, eq=False)
class Account:
    """A phone number with its devices.

    Attributes:
        number: address by phone number, device 0.
        lid: address by LID, device 0.
        push_name: shown to those it writes to.
        devices: by device number; 0 is the phone.
        phone: the simulated phone while it is switched on.
        trusted: LID or number addresses it gave a privacy token to, and when.
        blocked: LID addresses it does not want to hear of.
        watchers: LID addresses of devices that may hold its device list in a cache.
        subscribers: LID addresses of devices that want to know whether it is online.
        last_device: the device number given last; numbers are used again only after 255.
    """

    number: Jid
    lid: Jid
    push_name: str
    devices: dict[int, DeviceRecord] = field(default_factory=dict)
    phone: Phone | None = None
    trusted: dict[Jid, str] = field(default_factory=dict)
    blocked: set[Jid] = field(default_factory=set)
    watchers: set[Jid] = field(default_factory=set)
    subscribers: set[Jid] = field(default_factory=set)
    last_device: int = PHONE

    @property
    def info(self) -> AccountInfo:
        """The public view."""
        return AccountInfo(
            number=self.number,
            lid=self.lid,
            push_name=self.push_name,
            devices=tuple(self.devices[number].lid for number in sorted(self.devices)),
        )

    def next_device(self) -> int:
        """The number the next companion gets.

        Raises:
            UnknownAccountError: all device numbers are taken.
        """
        for step in range(MAX_DEVICE):
            number = (self.last_device + step) % MAX_DEVICE + 1
            if number not in self.devices:
                return number
        raise UnknownAccountError("no device number is free")


class Accounts:
    """All accounts, found by number or LID."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_address: dict[tuple[str, str], Account] = {}

    def __iter__(self) -> Iterator[Account]:
        return (
            account for (server, _), account in self._by_address.items() if server == LID_SERVER
        )

    def add(self, *, number: str, push_name: str, lid_user: str) -> Account:
        """Register an account without devices.

        Raises:
            AccountExistsError: the number or the LID is taken.
        """
        keys = ((PN_SERVER, number), (LID_SERVER, lid_user))
        if any(key in self._by_address for key in keys):
            raise AccountExistsError("the number or its LID is already registered")
        account = Account(number=pn(number), lid=lid(lid_user), push_name=push_name)
        for key in keys:
            self._by_address[key] = account
        return account

    def find(self, address: Jid) -> Account | None:
        """The account behind an address, whatever its device."""
        return self._by_address.get((address.server, address.user))

    def find_contact(self, digits: str) -> Account | None:
        """The account behind a phone number as people write it.

        The service knows an account by one number; in some countries the same number is also
        written another way, and only this look-up knows that.
        """
        written = (digits, *other_spellings(digits))
        return next((found for one in written if (found := self.find(pn(one)))), None)

    def get(self, address: Jid) -> Account:
        """The account behind an address.

        Raises:
            UnknownAccountError: nobody has it.
        """
        account = self.find(address)
        if account is None:
            raise UnknownAccountError("nobody has this address")
        return account

    def find_device(self, address: Jid) -> DeviceRecord | None:
        """The device behind an address; device 0 is the phone."""
        account = self.find(address)
        return account.devices.get(address.device) if account else None

    def device(self, address: Jid) -> DeviceRecord:
        """The device behind an address.

        Raises:
            UnknownAccountError: there is none.
        """
        record = self.find_device(address)
        if record is None:
            raise UnknownAccountError("no such device")
        return record


def other_spellings(digits: str) -> tuple[str, ...]:
    """How else a number is written: with or without a digit that marks a mobile.

    Brazil: a 9 behind the area code. Mexico: a 1, Argentina: a 9 behind the country's code.
    """
    for country, area_digits, mark, rest_digits in _MOBILE_MARKS:
        head = len(country) + area_digits
        if not digits.startswith(country):
            continue
        if len(digits) == head + rest_digits:
            return (digits[:head] + mark + digits[head:],)
        if len(digits) == head + 1 + rest_digits and digits[head] == mark:
            return (digits[:head] + digits[head + 1 :],)
    return ()


def derived_lid(number: str) -> str:
    """A LID for a phone number: as long as real ones, different for different numbers."""
    return f"1{int(number) * 7919 % 10**14:014d}"


def now() -> str:
    """Seconds since the epoch, as stanzas carry them."""
    return str(int(time.time()))


def online(device: DeviceRecord) -> Device | None:
    """Where stanzas for a device go now, or `None` while it is away."""
    return device.mailbox.sink
