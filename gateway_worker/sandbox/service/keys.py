"""Published keys: who has published which, and who gets a one-time prekey."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.fault_rules import Drop, Point
from gateway_worker.sandbox.wire.jid import SERVER
from gateway_worker.sandbox.wire.node import Node, now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.signal.keys import PreKeyBundle, PublicPreKey
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Attrs

LOW_PREKEYS: Final = 5
"""Clients upload more when a notice tells them of fewer than this."""


class PublishedKeys:
    """The keys of all devices. Addresses may be by number or by LID."""

    def __init__(self, *, accounts: Accounts, faults: FaultBook) -> None:
        """Work on the service's accounts; rules say whose keys nobody gets."""
        self._accounts = accounts
        self._faults = faults
        self._notices = 0

    def publish(self, device: Jid, bundle: PreKeyBundle, prekeys: Sequence[PublicPreKey]) -> None:
        """Take a device's keys; its earlier one-time prekeys stay valid.

        Raises:
            UnknownAccountError: there is no such device.
        """
        self._accounts.device(device).bundle = bundle
        self.add_prekeys(device, prekeys)

    def add_prekeys(self, device: Jid, prekeys: Sequence[PublicPreKey]) -> None:
        """Take more one-time prekeys of a device.

        Raises:
            UnknownAccountError: there is no such device.
        """
        record = self._accounts.device(device)
        known = {key.key_id for key in record.prekeys}
        record.prekeys.extend(key for key in prekeys if key.key_id not in known)
        record.low_notice_due = True

    def prekey_count(self, device: Jid) -> int:
        """One-time prekeys left; 0 for an unknown device."""
        record = self._accounts.find_device(device)
        return len(record.prekeys) if record else 0

    def fetch(self, devices: Iterable[Jid]) -> dict[Jid, PreKeyBundle]:
        """Take one bundle per device, consuming a one-time prekey each.

        The keys of the result are the addresses as asked. Devices that are unknown, that have
        published nothing or whose keys a fault holds back are left out.
        """
        found: dict[Jid, PreKeyBundle] = {}
        for address in devices:
            record = self._accounts.find_device(address)
            if record is None or record.bundle is None:
                continue
            if self._faults.consume(Point.BUNDLE, record, Drop) is not None:
                continue
            one_time = record.prekeys.popleft() if record.prekeys else None
            found[address] = replace(record.bundle, one_time=one_time)
            self._tell_shortage(record)
        return found

    def _tell_shortage(self, record: DeviceRecord) -> None:
        left = len(record.prekeys)
        if left >= LOW_PREKEYS or not record.low_notice_due or not record.lid.device:
            return
        record.low_notice_due = False
        self._notices += 1
        attrs: Attrs = {
            "from": SERVER,
            "id": f"prekeys-{self._notices}",
            "type": "encrypt",
            "t": now(),
        }
        record.mailbox.put(Node("notification", attrs, (Node("count", {"value": str(left)}),)))
