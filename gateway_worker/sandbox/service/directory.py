"""Who exists and which keys are published."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.accounts import (
    PHONE,
    Account,
    Accounts,
    DeviceRecord,
    derived_lid,
    now,
)
from gateway_worker.sandbox.service.fault_rules import Drop, Point
from gateway_worker.sandbox.service.interface import AccountInfo, FetchedBundle, KeyBundle, PreKey
from gateway_worker.sandbox.service.mailbox import Mailbox
from gateway_worker.sandbox.wire.jid import SERVER, Jid
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway_worker.sandbox.service.fault_book import FaultBook

LOW_PREKEYS: Final = 5
"""Clients upload more when a notice tells them of fewer than this."""


class AccountDirectory:
    """Accounts, device lists and one-time prekeys."""

    def __init__(self, *, accounts: Accounts, rules: FaultBook) -> None:
        """Work on the service's accounts; rules say whose keys nobody gets."""
        self._accounts = accounts
        self._rules = rules
        self._notices = 0

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
        account = self._accounts.add(
            number=number, push_name=push_name, lid_user=lid or derived_lid(number)
        )
        account.devices[PHONE] = DeviceRecord(
            number=account.number,
            lid=account.lid,
            mailbox=Mailbox(confirms=False),
            bundle=bundle,
            prekeys=deque(prekeys),
        )
        return account.info

    def publish(self, device: Jid, bundle: KeyBundle, prekeys: Sequence[PreKey]) -> None:
        """Take a device's keys; its earlier one-time prekeys stay valid."""
        record = self._accounts.device(device)
        record.bundle = bundle
        self.add_prekeys(device, prekeys)

    def add_prekeys(self, device: Jid, prekeys: Sequence[PreKey]) -> None:
        """See `interface.Directory`."""
        record = self._accounts.device(device)
        known = {key.id for key in record.prekeys}
        record.prekeys.extend(key for key in prekeys if key.id not in known)
        record.low_notice_due = True

    def prekey_count(self, device: Jid) -> int:
        """See `interface.Directory`."""
        record = self._accounts.find_device(device)
        return len(record.prekeys) if record else 0

    def fetch_bundles(self, devices: Iterable[Jid]) -> dict[Jid, FetchedBundle]:
        """See `interface.Directory`."""
        found: dict[Jid, FetchedBundle] = {}
        for address in devices:
            record = self._accounts.find_device(address)
            if record is None or record.bundle is None:
                continue
            if self._rules.consume(Point.BUNDLE, record, Drop) is not None:
                continue
            one_time = record.prekeys.popleft() if record.prekeys else None
            found[address] = FetchedBundle(bundle=record.bundle, one_time=one_time)
            self._tell_shortage(record)
        return found

    def _tell_shortage(self, record: DeviceRecord) -> None:
        left = len(record.prekeys)
        if left >= LOW_PREKEYS or not record.low_notice_due or not record.lid.device:
            return
        record.low_notice_due = False
        self._notices += 1
        attrs: dict[str, str | Jid] = {
            "from": SERVER,
            "id": f"prekeys-{self._notices}",
            "type": "encrypt",
            "t": now(),
        }
        record.mailbox.put(Node("notification", attrs, (Node("count", {"value": str(left)}),)))


def device_lists_changed(accounts: Accounts, account: Account, stamp: str) -> None:
    """Tell everyone who may hold the account's device list that it is out of date.

    The hash is one that no list has, so that every client drops its copy and asks again.
    """
    for watcher in account.watchers:
        record = accounts.find_device(watcher)
        if record is None or not record.lid.device:
            continue
        for address in (account.number, account.lid):
            record.mailbox.put(
                Node(
                    "notification",
                    {
                        "from": address,
                        "id": f"devices-{stamp}-{address.server}",
                        "type": "devices",
                        "t": now(),
                    },
                    (Node("update", {"device_hash": "2:changed"}),),
                )
            )
    account.watchers.clear()
