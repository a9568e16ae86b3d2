"""Accounts, keys, device lists and the removal of companions."""

from __future__ import annotations

import pytest

from gateway_worker.sandbox.service.accounts import Accounts
from gateway_worker.sandbox.service.errors import (
    AccountExistsError,
    PairingRefusedError,
    UnknownAccountError,
)
from gateway_worker.sandbox.service.faults import Faults, StreamEnd
from gateway_worker.sandbox.service.numbers import other_spellings
from gateway_worker.sandbox.signal.keys import PublicPreKey
from gateway_worker.sandbox.wire.jid import pn
from tests.unit.sandbox.service.conftest import ANN, BOB, Fixture, bundle


def test_numbers_and_lids_are_unique(world: Fixture) -> None:
    """Neither can be registered twice; an account is found by both."""
    with pytest.raises(AccountExistsError):
        world.service.accounts.register(number="111", push_name="", bundle=bundle(), prekeys=[])
    with pytest.raises(AccountExistsError):
        world.service.accounts.register(
            number="444", push_name="", bundle=bundle(), prekeys=[], lid_user=world.lid(ANN).user
        )
    assert world.service.accounts.find(ANN) == world.service.accounts.find(world.lid(ANN, 3))
    assert world.service.accounts.find(pn("999")) is None


def test_a_prekey_is_given_once(world: Fixture) -> None:
    """Every fetch takes one; then bundles come without."""
    device = world.lid(ANN)
    taken = [world.service.keys.fetch([device])[device].one_time for _ in range(4)]

    assert [key.key_id if key else None for key in taken] == [0, 1, 2, None]
    world.service.keys.add_prekeys(device, [PublicPreKey(key_id=5, public=b"k" * 32)])
    assert world.service.keys.prekey_count(ANN) == 1


def test_unknown_and_hidden_devices_have_no_bundle(world: Fixture) -> None:
    """They are left out of the answer."""
    world.service.faults.set(BOB.user, Faults(no_bundles=True), device=0)

    found = world.service.keys.fetch([ANN, BOB, pn("111", 9), pn("999")])
    assert list(found) == [ANN]


def test_a_companion_is_told_once_that_its_keys_run_low(world: Fixture) -> None:
    """One notice per shortage; a refill arms the next one."""
    companion = world.companion(ANN)
    keys = [PublicPreKey(key_id=n, public=bytes([n]) * 32) for n in range(6)]
    world.service.keys.add_prekeys(companion.jid, keys)
    for _ in range(4):
        world.service.keys.fetch([companion.jid])

    (notice,) = companion.got
    assert notice.get("type") == "encrypt"
    assert notice.require_child("count").get("value") == "4"
    world.service.keys.add_prekeys(
        companion.jid, [PublicPreKey(key_id=n, public=b"k" * 32) for n in range(50, 54)]
    )
    for _ in range(3):
        world.service.keys.fetch([companion.jid])
    assert len(companion.got) == 2


def test_unlinking(world: Fixture) -> None:
    """The link ends, the device is gone, its number is not given again, watchers are told."""
    companion, watcher = world.companion(ANN), world.companion(BOB)
    world.service.accounts.get(ANN).watchers.add(watcher.jid)
    world.service.linking.unlink(companion.jid)

    assert companion.ended == [StreamEnd.DEVICE_REMOVED]
    assert world.service.connections.links(ANN.user) == ()
    assert world.service.accounts.get(ANN).next_device() == 2
    assert [node.get("type") for node in watcher.got] == ["devices", "devices"]
    assert {node.jid("from") for node in watcher.got} == {ANN, world.lid(ANN)}
    with pytest.raises(UnknownAccountError):
        world.service.linking.unlink(companion.jid)
    with pytest.raises(UnknownAccountError):
        world.service.linking.unlink(world.lid(ANN))


def test_links(world: Fixture) -> None:
    """The state of companions, and cutting them off."""
    first, _ = world.companion(ANN), world.companion(ANN, online=False)

    assert [
        (link.device.device, link.online) for link in world.service.connections.links(ANN.user)
    ] == [
        (1, True),
        (2, False),
    ]
    assert world.service.connections.drop(ANN.user, device=1)
    assert world.service.connections.end(ANN.user, StreamEnd.RESTART)
    assert first.ended == [None, StreamEnd.RESTART]
    assert not world.service.connections.drop(ANN.user, device=2)
    with pytest.raises(UnknownAccountError):
        world.service.connections.drop(ANN.user, device=0)


def test_device_numbers_come_round(world: Fixture) -> None:
    """After 255 the free ones are used again."""
    account = world.service.accounts.get(ANN)
    world.companion(ANN)
    account.last_device = 255

    assert world.service.accounts.get(ANN).next_device() == 2


async def test_a_ref_that_nobody_offered(world: Fixture) -> None:
    """Pairing needs a waiting companion."""
    assert not world.service.linking.offered("2@none")
    with pytest.raises(PairingRefusedError):
        await world.service.linking.complete_pairing(
            ref="2@none", account=ANN, identity_container=b""
        )
    with pytest.raises(PairingRefusedError):
        world.service.linking.answer_pair_code(ref="3@none", wrapped_ephemeral=b"", identity=b"")


@pytest.mark.parametrize(
    ("known", "written"),
    [
        ("551187654321", "5511987654321"),
        ("525512345678", "5215512345678"),
        ("541123456789", "5491123456789"),
    ],
)
def test_a_number_that_is_written_in_two_ways(known: str, written: str) -> None:
    """A contact is found by both, an address only by the one that the service has."""
    for one, other in ((known, written), (written, known)):
        accounts = Accounts()
        account = accounts.add(number=one, push_name="", lid_user="1")

        assert accounts.find_contact(other) is accounts.find_contact(one) is account
        assert accounts.find(pn(other)) is None
        with pytest.raises(AccountExistsError):
            accounts.add(number=other, push_name="", lid_user="2")


@pytest.mark.parametrize("digits", ["49151234567", "5511", "55118765432100", "541", "12025550101"])
def test_a_number_that_is_written_in_one_way(digits: str) -> None:
    """Most countries have no such mark."""
    assert other_spellings(digits) == ()
