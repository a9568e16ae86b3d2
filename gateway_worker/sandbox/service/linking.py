"""Companions joining an account, by QR or by code, and leaving it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.device_lists import device_lists_changed
from gateway_worker.sandbox.service.devices import PHONE, DeviceRecord
from gateway_worker.sandbox.service.errors import PairingRefusedError, UnknownAccountError
from gateway_worker.sandbox.service.fault_rules import Passkey, Point
from gateway_worker.sandbox.service.faults import StreamEnd
from gateway_worker.sandbox.service.mailbox import Mailbox
from gateway_worker.sandbox.service.pairing import PAIRING_REFS, LinkedDevice

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account, Accounts
    from gateway_worker.sandbox.service.devices import Phone
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.pairing import (
        Companion,
        CompanionKeys,
        PairCodeFinish,
        PairCodeHello,
    )
    from gateway_worker.sandbox.wire.jid import Jid


class CompanionLinking:
    """Offers, code attempts and the removal of companions.

    Attributes:
        refs_per_offer: how many QR codes later offers hold. With the usual `PAIRING_REFS` a client
            shows codes for 160 s; with fewer it shows each for 20 s, so that 1 makes an offer run
            out soon.
    """

    def __init__(self, *, accounts: Accounts, faults: FaultBook) -> None:
        """Work on the service's accounts; the faults say who is asked for a passkey."""
        self._accounts = accounts
        self._faults = faults
        self._offers: dict[str, Companion] = {}
        self.refs_per_offer = PAIRING_REFS

    def offer(self, companion: Companion) -> tuple[str, ...]:
        """Let a companion wait under fresh refs; the refs have no comma in them."""
        refs = tuple(f"2@{secrets.token_urlsafe(48)}" for _ in range(self.refs_per_offer))
        self._offers.update(dict.fromkeys(refs, companion))
        return refs

    def withdraw(self, companion: Companion) -> None:
        """Forget all refs of a companion that went away or was paired."""
        self._offers = {ref: one for ref, one in self._offers.items() if one is not companion}

    def offered(self, ref: str) -> bool:
        """Whether a companion waits under this ref."""
        return ref in self._offers

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
            PairingRefusedError: the ref is unknown or spent, a passkey is wanted, or the companion
                answered with an error, went away, or signed wrongly.
        """
        owner = self._accounts.get(account)
        companion = self._take(ref)
        if self._faults.consume(Point.PAIRING, owner.devices[PHONE], Passkey) is not None:
            companion.ask_passkey()
            raise PairingRefusedError("the companion was asked for a passkey")
        self.withdraw(companion)
        number = owner.next_device()
        owner.last_device = number
        signed = await companion.accept(
            identity_container=identity_container,
            number=owner.number.with_device(number),
            lid=owner.lid.with_device(number),
            name=owner.push_name,
        )
        linked = self._register(owner, number, companion.keys, signed)
        companion.finish()
        return linked

    def _register(
        self, owner: Account, device: int, keys: CompanionKeys, signed: bytes
    ) -> LinkedDevice:
        record = DeviceRecord(
            number=owner.number.with_device(device),
            lid=owner.lid.with_device(device),
            mailbox=Mailbox(confirms=True),
            bundle=keys.bundle,
            noise_public=keys.noise_public,
        )
        owner.devices[device] = record
        device_lists_changed(self._accounts, owner, secrets.token_hex(6))
        return LinkedDevice(
            number=record.number,
            lid=record.lid,
            platform=keys.platform,
            platform_type=keys.platform_type,
            identity=keys.bundle.identity,
            device_identity=signed,
        )

    def code_hello(self, companion: Companion, account: Jid, hello: PairCodeHello) -> str:
        """A companion asks the phone of an account to be linked by code.

        Returns:
            The ref that names the attempt.

        Raises:
            PairingRefusedError: nobody has the number, or its phone is off.
        """
        phone = self._phone(account)
        self._offers[hello.ref] = companion
        phone.pair_code_hello(hello)
        return hello.ref

    def code_finish(self, account: Jid, finish: PairCodeFinish) -> None:
        """The companion used the code: tell the phone.

        Raises:
            PairingRefusedError: nobody has the number, or its phone is off.
        """
        self._phone(account).pair_code_finish(finish)

    def answer_pair_code(self, *, ref: str, wrapped_ephemeral: bytes, identity: bytes) -> None:
        """Hand the phone's half of a code pairing to the companion.

        Args:
            ref: from `PairCodeHello`.
            wrapped_ephemeral: 80 bytes: salt (32), iv (16), AES-CTR of the phone's ephemeral key.
            identity: the phone's 32-byte identity key.

        Raises:
            PairingRefusedError: the attempt is unknown or its companion went away.
        """
        self._take(ref).relay_code_answer(
            ref=ref, wrapped_ephemeral=wrapped_ephemeral, identity=identity
        )

    def unlink(self, device: Jid, *, end: StreamEnd | None = StreamEnd.DEVICE_REMOVED) -> None:
        """Remove a companion as its phone would.

        A later login is refused with 401, and others are told to forget the device.

        Args:
            device: the companion.
            end: how its open connection ends; `None` leaves that to the connection itself.

        Raises:
            UnknownAccountError: no such companion.
        """
        owner = self._accounts.get(device)
        record = owner.devices.get(device.device) if device.device else None
        if record is None:
            raise UnknownAccountError("no such companion")
        del owner.devices[device.device]
        record.mailbox.clear()
        if record.link is not None and end is not None:
            record.link.end(end)
        device_lists_changed(self._accounts, owner, secrets.token_hex(6))

    def _take(self, ref: str) -> Companion:
        companion = self._offers.get(ref)
        if companion is None:
            raise PairingRefusedError("the ref is unknown, spent or its companion went away")
        return companion

    def _phone(self, account: Jid) -> Phone:
        owner = self._accounts.find(account)
        if owner is None or owner.phone is None:
            raise PairingRefusedError("nobody has this number, or the phone is off")
        return owner.phone
