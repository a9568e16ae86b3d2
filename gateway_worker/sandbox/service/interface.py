"""What the service shows to phones, to the control API and to the connections of the server.

The service remembers: who exists, which devices they linked, which keys are published and
what still waits for whom. A *device* is either a companion (a real client library on a websocket)
or a simulated phone, device 0 of its account, which lives in this process. Stanzas are built as
a client would build them; the service does to them what the real one does on the way.

Everything here runs in one event loop and must be called from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.faults import Faults, StreamEnd
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Node

PAIRING_REFS: Final = 6
"""Refs in one offer: clients show the first for 60 s and each later one for 20 s, then give up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreKey:
    """A one-time prekey.

    Attributes:
        id: 24-bit number chosen by the device.
        public: 32 bytes, without a type prefix.
    """

    id: int
    public: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPreKey:
    """The medium-term prekey.

    Attributes:
        id: 24-bit number chosen by the device.
        public: 32 bytes, without a type prefix.
        signature: 64 bytes of XEdDSA by the identity over 0x05 followed by `public`.
    """

    id: int
    public: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBundle:
    """What a device publishes once: enough for anybody to open a session with it.

    Attributes:
        registration_id: 32-bit number.
        identity: 32 bytes, without a type prefix.
        signed_prekey: the current signed prekey.
    """

    registration_id: int
    identity: bytes
    signed_prekey: SignedPreKey


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedBundle:
    """A bundle as handed to somebody who wants to write to the device.

    Attributes:
        bundle: the published keys.
        one_time: a prekey that nobody else gets, or `None` when the device has run out.
    """

    bundle: KeyBundle
    one_time: PreKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInfo:
    """An account as others may see it.

    Attributes:
        number: the phone-number address, device 0.
        lid: the LID address, device 0. Stanzas between accounts use this one.
        push_name: the name shown to the people it writes to.
        devices: LID addresses of all devices, the phone first.
    """

    number: Jid
    lid: Jid
    push_name: str
    devices: tuple[Jid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedDevice:
    """A companion after pairing.

    Attributes:
        number: its address by phone number, device above 0.
        lid: its address by LID, same device.
        platform: what the companion calls itself in its pairing data.
        identity: its 32-byte identity key.
        device_identity: the serialized ADVSignedDeviceIdentity with the companion's signature
            (verified by the service) and without the account's key.
    """

    number: Jid
    lid: Jid
    platform: str
    identity: bytes
    device_identity: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """One companion's link, for control and for tests.

    Attributes:
        device: its LID address.
        online: whether it holds a logged-in connection now.
        pending: stanzas that wait for its acknowledgement.
        prekeys: one-time prekeys left on the server.
        logins: successful logins since it was paired.
    """

    device: Jid
    online: bool
    pending: int
    prekeys: int
    logins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCodeHello:
    """A companion asks to be linked by a typed code: what its phone receives.

    Attributes:
        ref: names this attempt; goes back in `answer_pair_code`.
        wrapped_ephemeral: 80 bytes: salt (32), iv (16), AES-CTR of the companion's ephemeral key.
        noise_public: the companion's 32-byte Noise key.
        platform_id: kind of client as a decimal string.
        platform_display: what to show, such as `Chrome (Linux)`.
    """

    ref: str
    wrapped_ephemeral: bytes
    noise_public: bytes
    platform_id: str
    platform_display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCodeFinish:
    """The companion's last word in a pairing by code.

    Attributes:
        ref: as in the hello.
        wrapped_bundle: salt (32), nonce (12), AES-GCM of companion identity, phone identity and
            random.
        identity: the companion's 32-byte identity key.
    """

    ref: str
    wrapped_bundle: bytes
    identity: bytes


class Device(Protocol):
    """Where stanzas for one device go: a connection or a simulated phone."""

    @property
    def jid(self) -> Jid:
        """The LID address of this device."""

    def deliver(self, node: Node) -> None:
        """Take one stanza, in order. Must return at once: queue it and do the work elsewhere.

        A phone acknowledges by returning; a companion by its own receipt or ack stanza.
        """


class Phone(Device, Protocol):
    """A simulated phone: device 0, and the one who can link companions."""

    def pair_code_hello(self, hello: PairCodeHello) -> None:
        """A companion asks to be linked; answer with `answer_pair_code`. Returns at once."""

    def pair_code_finish(self, finish: PairCodeFinish) -> None:
        """The companion used the code; go on with `complete_pairing`. Returns at once."""


class Directory(Protocol):
    """Accounts and published keys. Addresses may be by number or by LID, with or without device."""

    def add_account(
        self,
        *,
        number: str,
        push_name: str,
        bundle: KeyBundle,
        prekeys: Sequence[PreKey],
        lid: str | None = None,
    ) -> AccountInfo:
        """Register an account with its phone's keys.

        Args:
            number: digits with country code.
            push_name: may be empty.
            bundle: the phone's published keys; `bundle.identity` also signs for its companions.
            prekeys: the phone's one-time prekeys.
            lid: digits of the LID; derived from the number when not given.

        Raises:
            AccountExistsError: the number or the LID is taken.
        """

    def account(self, address: Jid) -> AccountInfo | None:
        """The account behind an address, or `None` when nobody has it."""

    def set_push_name(self, account: Jid, push_name: str) -> None:
        """Rename an account; later messages carry the new name.

        Raises:
            UnknownAccountError: nobody has this address.
        """

    def add_prekeys(self, device: Jid, prekeys: Sequence[PreKey]) -> None:
        """Publish more one-time prekeys of a device.

        Raises:
            UnknownAccountError: nobody has this address.
        """

    def prekey_count(self, device: Jid) -> int:
        """One-time prekeys left; 0 for an unknown device."""

    def fetch_bundles(self, devices: Iterable[Jid]) -> Mapping[Jid, FetchedBundle]:
        """Take one bundle per device, consuming a one-time prekey each.

        The keys of the result are the addresses as asked. Devices that are unknown, that have
        published nothing or that a fault hides are left out.
        """


class Relay(Protocol):
    """Stanzas from one device to others."""

    def attach_phone(self, phone: Phone) -> None:
        """Switch a phone on: what waited for it is delivered before this returns, in order.

        Raises:
            UnknownAccountError: nobody has this address.
        """

    def detach_phone(self, account: Jid) -> None:
        """Switch a phone off: what comes for it waits."""

    async def submit(self, sender: Jid, node: Node) -> Node | None:
        """Send a stanza as a device does and get the service's ack.

        Understands `message` (fan-out under `participants`, or one `enc` straight to a device),
        `receipt`, `chatstate`, `presence` and `ack`. It is relayed before the first suspension, so
        calls keep their order. A message is repeated to nobody when its sender, target and id
        were seen before; it is acked again.

        Args:
            sender: the sending device, by LID or number.
            node: as a client would send it: `to`, `id`, and for a message to companions
                `participants` > `to jid=<LID:device>` > `enc v=2 type=pkmsg|msg`.

        Returns:
            The ack; `None` when the kind has none or a fault withholds it.

        Raises:
            UnknownAccountError: the sender is not registered.
            WireError: the stanza cannot be routed.
        """

    def post(self, sender: Jid, node: Node) -> None:
        """Send a stanza whose ack nobody waits for; otherwise as `submit`."""

    def block(self, account: Jid, other: Jid) -> None:
        """Let `account` block `other`: messages from it are acked and reach nobody."""

    def unblock(self, account: Jid, other: Jid) -> None:
        """Undo `block`."""


class Linking(Protocol):
    """Companions joining and leaving an account."""

    def next_device(self, account: Jid) -> int:
        """The number that the next companion of an account will get; also fits as its key index.

        Raises:
            UnknownAccountError: nobody has this address.
        """

    def offered(self, ref: str) -> bool:
        """Whether a companion waits behind this ref."""

    async def complete_pairing(
        self, *, ref: str, account: Jid, identity_container: bytes
    ) -> LinkedDevice:
        """Link the companion that offered `ref` and wait for its signed answer.

        The companion then reconnects by itself and logs in.

        Args:
            ref: from the QR (its first field) or from the pair code attempt.
            account: who links it.
            identity_container: serialized ADVSignedDeviceIdentityHMAC.

        Raises:
            UnknownAccountError: nobody has this address.
            PairingRefusedError: the ref is unknown or spent, or the companion answered with an
                error, went away, or signed wrongly.
        """

    async def answer_pair_code(
        self, *, ref: str, wrapped_ephemeral: bytes, identity: bytes
    ) -> None:
        """Hand the phone's half of a code pairing to the companion.

        Args:
            ref: from `PairCodeHello`.
            wrapped_ephemeral: 80 bytes: salt (32), iv (16), AES-CTR of the phone's ephemeral key.
            identity: the phone's 32-byte identity key.

        Raises:
            PairingRefusedError: the attempt is unknown or its companion went away.
        """

    def unlink(self, device: Jid) -> None:
        """Remove a companion as its phone would.

        An open connection ends with 401 device_removed, a later login is refused with 401, and
        others are told to forget the device.

        Raises:
            UnknownAccountError: no such companion.
        """


class Scripting(Protocol):
    """Faults and figures, for the control API and for tests."""

    @property
    def rules(self) -> FaultBook:
        """What shall go wrong, by rules with ids."""

    def set_faults(self, account: Jid, faults: Faults, *, device: int | None = None) -> None:
        """Replace the rules set by this method for an account's companions, or for one device.

        Raises:
            UnknownAccountError: there is no such account or device.
        """

    def faults(self, account: Jid, *, device: int | None = None) -> Faults:
        """What is left of the faults set for a device, or else for its account's companions.

        Raises:
            UnknownAccountError: there is no such account or device.
        """

    def set_pairing_refs(self, count: int) -> None:
        """Change how many QR codes later offers hold.

        With the usual `PAIRING_REFS` a client shows codes for 160 s; with fewer it shows each for
        20 s, so that 1 makes an offer run out soon.
        """

    def drop_link(self, device: Jid) -> bool:
        """Cut a companion's connection without a word. Returns whether there was one."""

    def end_stream(self, device: Jid, end: StreamEnd) -> bool:
        """End a companion's connection with a stream error. Returns whether there was one."""

    def inject(self, device: Jid, node: Node) -> bool:
        """Send a companion a stanza as it stands. Returns whether it was connected."""

    def push(self, device: Jid, node: Node) -> bool:
        """Send a device a stanza as the service does; whether it has it or will get it.

        A message, receipt, notification or call gets what it lacks of id, time and sender, and
        waits until the device confirms it; anything else is for a device that is connected.

        Raises:
            UnknownAccountError: there is no such device.
        """

    def links(self, account: Jid) -> tuple[LinkState, ...]:
        """The state of each companion of an account, lowest device first."""
