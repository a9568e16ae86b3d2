"""A session that was deleted leaves nothing to the one that is created under its name."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway_contracts import encode
from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME
from gateway_worker.sessions.inbound.orphan_spools import OrphanSpools
from gateway_worker.sessions.store.device_store import DeviceStore, read_epoch
from gateway_worker.sessions.store.directory_moves import DirectoryMoves
from gateway_worker.sessions.store.store_files import has_device_store
from tests.integration.storage.db.support import message
from tests.support.ports import UnaskedLauncher, UnaskedPeerMessages
from tests.support.sessions import MemorySessions
from tests.unit.sessions.harness import SessionHarness, linked_row


async def test_a_new_session_does_not_take_up_the_old_one_s_device(tmp_path: Path) -> None:
    """Its host would find a linked device, and take the other account for its own."""
    harness = SessionHarness(tmp_path)  # its store is of epoch 3
    store = DeviceStore(
        session_id="shop",
        epoch=5,
        first_epoch=5,
        local_epoch=None,
        directory=harness.data.session("shop"),
        parking=harness.data.parking,
        snapshots=harness.copies,
        moves=DirectoryMoves(),
    )

    await store.ensure(linked=False)

    assert not has_device_store(store.directory)
    assert read_epoch(store.directory) == 5
    (parked,) = harness.data.parking.iterdir()
    assert (parked / DEVICE_STORE_NAME).read_bytes() == b"keys"


@pytest.mark.parametrize(("first_epoch", "copies"), [(3, [False]), (4, [])])
async def test_an_old_session_s_store_is_no_copy_of_the_new_one(
    tmp_path: Path, first_epoch: int, copies: list[bool]
) -> None:
    """Of the session that is there now, a store that was left behind is copied before it goes."""
    harness = SessionHarness(tmp_path)

    row = replace(linked_row("shop", epoch=7), worker_id="beta", first_epoch=first_epoch)
    orphan_spools = OrphanSpools(
        worker_id="me",
        directory=tmp_path,
        launcher=UnaskedLauncher(),
        sessions=MemorySessions(row),
        snapshots=harness.copies,
        peer_messages=UnaskedPeerMessages(),
        held=lambda _session_id: False,
    )

    await orphan_spools.clear("shop")

    assert harness.copies.made == copies
    assert list(harness.data.parking.iterdir()) == []


@pytest.mark.parametrize(("epoch", "recorded"), [(3, 0), (4, 1)])
async def test_late_messages_of_the_old_session_are_not_recorded_for_the_new_one(
    tmp_path: Path, epoch: int, recorded: int
) -> None:
    """They were on a worker's way to its owner when it was deleted."""
    harness = SessionHarness(tmp_path)
    manager = harness.sessions.manager
    row = replace(linked_row("shop", epoch=4), first_epoch=4)
    manager.registry.add(harness.sessions.factory.build(row))
    (event,) = message(1, session="shop").events

    assert await manager.record_forwarded("shop", [encode(event)], epoch=epoch)

    assert [change.events for change in harness.database.applied] == [(event,)] * recorded
