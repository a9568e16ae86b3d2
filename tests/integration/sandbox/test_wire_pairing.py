"""The real library pairs with the local server, by QR and by code, and leaves again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.phones.errors import PhoneError
from gateway_worker.sandbox.service.errors import PairingRefusedError
from tests.integration.sandbox.wire_support import ANN, BOB, World, open_world
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def test_pairs_by_qr_and_resumes(world: World, tmp_path: Path) -> None:
    """A scanned QR links the client; a later process resumes without a new QR."""
    client = world.client(tmp_path / "store.db")
    async with client.run():
        await client.pair(world.ann)

        assert client.jid == f"{ANN}:1@s.whatsapp.net"
        assert world.link().online
        await eventually(lambda: world.link().prekeys == 812)
    await eventually(lambda: not world.link().online)

    async with client.run(resume=True):
        await client.connected()

        assert not client.seen("qr")
        assert world.link().logins == 2
    assert not world.server.unknown.seen
    assert not world.server.egress_attempts


async def test_pairs_by_code(world: World, tmp_path: Path) -> None:
    """A code that is typed into the phone links the client as well."""
    client = world.client(tmp_path / "store.db")
    async with client.run():
        await client.event("qr")
        code = await client.call("pair_code", number=ANN)
        await world.ann.enter_code(code)

        assert (await client.connected())["jid"] == f"{ANN}:1@s.whatsapp.net"


async def test_a_wrong_code_links_nothing(world: World, tmp_path: Path) -> None:
    """With another code than the one shown, the two sides share no secret."""
    client = world.client(tmp_path / "store.db")
    async with client.run():
        await client.event("qr")
        await client.call("pair_code", number=ANN)
        with pytest.raises(PhoneError):
            await world.ann.enter_code("AAAAAAAA", timeout=2)

        assert world.service.connections.links(world.ann.number) == ()


async def test_the_client_refuses_an_identity_made_for_another_secret(
    world: World, tmp_path: Path
) -> None:
    """The library checks the container against the secret in its QR, and says so."""
    client = world.client(tmp_path / "store.db")
    async with client.run():
        qr = (await client.event("qr"))["text"]
        head, refs = qr.rsplit("#", 1)
        fields = refs.split(",")
        fields[3] = fields[2]

        with pytest.raises((PairingRefusedError, PhoneError), match="hmac-mismatch"):
            await world.ann.scan(head + "#" + ",".join(fields))
        assert world.service.connections.links(world.ann.number) == ()


async def test_unlinked_by_the_phone(world: World, tmp_path: Path) -> None:
    """A phone that removes the companion logs it out for good."""
    client = world.client(tmp_path / "store.db")
    async with client.run():
        await client.pair(world.ann)
        world.ann.unlink(1)

        assert (await client.event("logged_out"))["on_connect"] is False
        assert world.service.connections.links(world.ann.number) == ()


async def test_unlinked_while_unavailable_is_told_at_login(world: World, tmp_path: Path) -> None:
    """A companion that was removed while it was unavailable is refused with 401."""
    client = world.client(tmp_path / "store.db")
    async with client.run():
        await client.pair(world.ann)
    world.ann.unlink(1)

    async with client.run(resume=True):
        assert (await client.event("logged_out"))["on_connect"] is True


async def test_logs_out_by_itself(world: World, tmp_path: Path) -> None:
    """The client's own logout removes the device, and the account can be linked anew."""
    client = world.client(tmp_path / "store.db")
    async with client.run():
        await client.pair(world.ann)
        await client.call("logout")

        assert world.service.connections.links(world.ann.number) == ()
        assert not client.seen("logged_out")
    async with client.run():
        await client.pair(world.ann)

        assert client.jid == f"{ANN}:2@s.whatsapp.net"


async def test_several_accounts_and_several_companions(world: World, tmp_path: Path) -> None:
    """Companions of one account and of others live side by side."""
    first, second, third = (world.client(tmp_path / f"{name}.db") for name in "abc")
    async with first.run(), second.run(), third.run():
        await first.pair(world.ann)
        await second.pair(world.ann)
        await third.pair(world.bob)

        states = world.service.connections.links(world.ann.number)
        assert [state.online for state in states] == [True, True]
        assert third.jid == f"{BOB}:1@s.whatsapp.net"


async def test_an_offer_runs_out(world: World, tmp_path: Path) -> None:
    """With one code left the client gives up after 20 s; its code is worth nothing then."""
    world.service.linking.refs_per_offer = 1
    client = world.client(tmp_path / "store.db")
    async with client.run():
        qr = await client.event("qr")
        async with asyncio.timeout(30):
            await client.event("login_status", status="timeout")
        await eventually(lambda: world.server.connection_count == 0)

        with pytest.raises((PairingRefusedError, PhoneError)):
            await world.ann.scan(qr["text"])
