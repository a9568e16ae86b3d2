"""Device lists that clients keep, and how they learn that one is out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.wire.node import Node, now

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account, Accounts


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
