"""Which devices of a writer are told that somebody has its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.routes.route import Sender
    from gateway_worker.sandbox.wire.jid import Jid

RETRY: Final = "retry"


def told_devices(
    accounts: Accounts, sender: Sender, writer: Jid, kind: str
) -> Iterator[DeviceRecord]:
    """Yield the devices that get a receipt.

    Args:
        accounts: the service's.
        sender: who confirms; it is never among them.
        writer: whose message it is. With a device, only that one is told; without, all are.
        kind: the receipt's type; who shall encrypt again is asked alone.
    """
    target = accounts.find(writer)
    if target is None:
        return
    if writer.device or kind == RETRY or target is sender.account:
        record = target.devices.get(writer.device)
        if record is not None and record is not sender.device:
            yield record
        return
    yield from target.devices.values()
