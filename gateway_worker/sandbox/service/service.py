"""The service in one object: its parts joined, for phones, for control and for connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.accounts import PHONE, Account, Accounts, DeviceRecord
from gateway_worker.sandbox.service.directory import AccountDirectory
from gateway_worker.sandbox.service.errors import UnknownAccountError
from gateway_worker.sandbox.service.fault_book import FaultBook
from gateway_worker.sandbox.service.fault_rules import Who
from gateway_worker.sandbox.service.interface import (
    AccountInfo,
    FetchedBundle,
    KeyBundle,
    LinkedDevice,
    LinkState,
    Phone,
    PreKey,
)
from gateway_worker.sandbox.service.linking import CompanionLinking
from gateway_worker.sandbox.service.pushing import push
from gateway_worker.sandbox.service.relay import StanzaRelay
from gateway_worker.sandbox.service.shorthand import FaultShorthand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway_worker.sandbox.service.faults import Faults, StreamEnd
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Node


class Service:
    """Implements the Protocols of `interface`; connections of the server use its parts directly.

    Attributes:
        accounts: the records.
        rules: what shall go wrong.
        directory: accounts and keys.
        relay: stanzas between devices.
        linking: companions joining and leaving.
    """

    def __init__(self) -> None:
        """Start with no account."""
        self.accounts = Accounts()
        self.rules = FaultBook(accounts=self.accounts)
        self.directory = AccountDirectory(accounts=self.accounts, rules=self.rules)
        self.relay = StanzaRelay(accounts=self.accounts, rules=self.rules)
        self.linking = CompanionLinking(accounts=self.accounts)
        self._shorthand = FaultShorthand(rules=self.rules)

    def add_account(
        self,
        *,
        number: str,
        push_name: str,
        bundle: KeyBundle,
        prekeys: Sequence[PreKey],
        lid: str | None = None,
    ) -> AccountInfo:
        """See `interface.Directory`."""
        return self.directory.add_account(
            number=number, push_name=push_name, bundle=bundle, prekeys=prekeys, lid=lid
        )

    def account(self, address: Jid) -> AccountInfo | None:
        """See `interface.Directory`."""
        found = self.accounts.find(address)
        return found.info if found else None

    def set_push_name(self, account: Jid, push_name: str) -> None:
        """See `interface.Directory`."""
        self.accounts.get(account).push_name = push_name

    def add_prekeys(self, device: Jid, prekeys: Sequence[PreKey]) -> None:
        """See `interface.Directory`."""
        self.directory.add_prekeys(device, prekeys)

    def prekey_count(self, device: Jid) -> int:
        """See `interface.Directory`."""
        return self.directory.prekey_count(device)

    def fetch_bundles(self, devices: Iterable[Jid]) -> Mapping[Jid, FetchedBundle]:
        """See `interface.Directory`."""
        return self.directory.fetch_bundles(devices)

    def attach_phone(self, phone: Phone) -> None:
        """See `interface.Relay`."""
        account = self.accounts.get(phone.jid)
        account.phone = phone
        account.devices[PHONE].mailbox.open(phone)

    def detach_phone(self, account: Jid) -> None:
        """See `interface.Relay`."""
        owner = self.accounts.get(account)
        if owner.phone is not None:
            owner.devices[PHONE].mailbox.close(owner.phone)
            owner.phone = None

    async def submit(self, sender: Jid, node: Node) -> Node | None:
        """See `interface.Relay`."""
        outcome = self.relay.route(sender, node)
        if outcome.delay_seconds:
            await asyncio.sleep(outcome.delay_seconds)
        return outcome.ack

    def post(self, sender: Jid, node: Node) -> None:
        """See `interface.Relay`."""
        self.relay.route(sender, node)

    def block(self, account: Jid, other: Jid) -> None:
        """See `interface.Relay`."""
        self.accounts.get(account).blocked.add(self.accounts.get(other).lid)

    def unblock(self, account: Jid, other: Jid) -> None:
        """See `interface.Relay`."""
        self.accounts.get(account).blocked.discard(self.accounts.get(other).lid)

    def next_device(self, account: Jid) -> int:
        """See `interface.Linking`."""
        return self.linking.next_device(account)

    def offered(self, ref: str) -> bool:
        """See `interface.Linking`."""
        return self.linking.offered(ref)

    async def complete_pairing(
        self, *, ref: str, account: Jid, identity_container: bytes
    ) -> LinkedDevice:
        """See `interface.Linking`."""
        return await self.linking.complete_pairing(
            ref=ref, account=account, identity_container=identity_container
        )

    async def answer_pair_code(
        self, *, ref: str, wrapped_ephemeral: bytes, identity: bytes
    ) -> None:
        """See `interface.Linking`."""
        await self.linking.answer_pair_code(
            ref=ref, wrapped_ephemeral=wrapped_ephemeral, identity=identity
        )

    def unlink(self, device: Jid) -> None:
        """See `interface.Linking`."""
        self.linking.unlink(device)

    def set_faults(self, account: Jid, faults: Faults, *, device: int | None = None) -> None:
        """See `interface.Scripting`."""
        self._shorthand.set(self._who(account, device), faults)

    def faults(self, account: Jid, *, device: int | None = None) -> Faults:
        """See `interface.Scripting`."""
        return self._shorthand.get(self._who(account, device))

    def set_pairing_refs(self, count: int) -> None:
        """See `interface.Scripting`."""
        self.linking.refs_per_offer = count

    def drop_link(self, device: Jid) -> bool:
        """See `interface.Scripting`."""
        link = self._companion(device).link
        if link is not None:
            link.drop()
        return link is not None

    def end_stream(self, device: Jid, end: StreamEnd) -> bool:
        """See `interface.Scripting`."""
        link = self._companion(device).link
        if link is not None:
            link.end(end)
        return link is not None

    def inject(self, device: Jid, node: Node) -> bool:
        """See `interface.Scripting`."""
        link = self._companion(device).link
        if link is not None:
            link.deliver(node)
        return link is not None

    def push(self, device: Jid, node: Node) -> bool:
        """See `interface.Scripting`."""
        return push(self.accounts.device(device), node)

    def links(self, account: Jid) -> tuple[LinkState, ...]:
        """See `interface.Scripting`."""
        owner: Account = self.accounts.get(account)
        return tuple(
            LinkState(
                device=record.lid,
                online=record.link is not None,
                pending=len(record.mailbox),
                prekeys=len(record.prekeys),
                logins=record.logins,
            )
            for number, record in sorted(owner.devices.items())
            if number != PHONE
        )

    def _who(self, account: Jid, device: int | None) -> Who:
        owner = self.accounts.get(account)
        if device is not None:
            self.accounts.device(owner.lid.with_device(device))
        return Who(number=owner.number.user, device=device)

    def _companion(self, device: Jid) -> DeviceRecord:
        record = self.accounts.device(device)
        if not device.device:
            raise UnknownAccountError("a phone has no link")
        return record
