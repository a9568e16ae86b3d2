"""`DEVICE_STORE=postgres`: nothing on the worker's disk is needed to go on."""

import shutil
from pathlib import Path

import asyncpg

from gateway_contracts import (
    MessageReceived,
    MessageUndecryptable,
    SessionDelete,
    SessionQr,
    SessionState,
)
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.conftest import open_gateway
from tests.e2e.harness import ADA, SHOP, Gateway
from tests.support.proxy import TcpProxy
from tests.support.traces import objects


async def schemas(gateway: Gateway) -> list[str]:
    """Return the schemas of device stores."""
    connection: asyncpg.Connection = await asyncpg.connect(gateway.environment["DATABASE_URL"])
    try:
        rows = await connection.fetch(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'wa\\_%'"
        )
    finally:
        await connection.close()
    return [str(row["nspname"]) for row in rows]


async def test_a_worker_that_lost_its_disk_needs_no_new_qr(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> None:
    """And a deleted session's store is gone, as if it were a file."""
    settings = {**environment, "DEVICE_STORE": "postgres"}
    async with open_gateway(sandbox, settings, tmp_path) as gateway:
        shop = await sandbox.add_phone(SHOP)
        ada = await sandbox.add_phone(ADA)
        await gateway.link("shop", shop)
        await gateway.send("shop", ADA, "before")
        after = len(gateway.backend.arrivals)

        await gateway.worker.kill()
        await ada.send_text(SHOP, "are you there?")
        shutil.rmtree(gateway.worker.data_dir / "sessions")
        await gateway.worker.start()

        await gateway.until("shop", SessionState.CONNECTED, after=after)
        await gateway.send("shop", ADA, "after")
        await gateway.backend.expect(MessageReceived, "shop", after=after)
        assert [message.text for message in ada.inbox] == ["before", "after"]
        later = gateway.backend.arrivals[after:]
        assert not [one for one in later if isinstance(one.event, SessionQr)]
        assert len(await schemas(gateway)) == 1
        assert await objects(gateway.environment, "shop") == []

        await gateway.succeed(SessionDelete(source=gateway.backend.source, subject="shop"))
        assert await schemas(gateway) == []


async def test_no_message_is_given_up_while_the_device_store_is_away(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> None:
    """WhatsApp keeps what comes meanwhile; nothing is announced that could not be read."""
    async with TcpProxy.to(environment["DATABASE_URL"]) as link:
        settings = {
            **environment,
            "DEVICE_STORE": "postgres",
            "DEVICE_STORE_URL": link.url(environment["DATABASE_URL"]),
        }
        async with open_gateway(sandbox, settings, tmp_path) as gateway:
            shop = await sandbox.add_phone(SHOP)
            ada = await sandbox.add_phone(ADA)
            await gateway.link("shop", shop)
            await gateway.send("shop", ADA, "before")
            after = len(gateway.backend.arrivals)

            await link.refuse()
            await link.cut()
            sent = [await ada.send_text(SHOP, f"{number}") for number in range(20)]
            await gateway.until("shop", SessionState.RECONNECTING, after=after)
            sent += [await ada.send_text(SHOP, f"{number}") for number in range(20, 40)]
            await link.accept()

            for message_id in sent:
                await gateway.backend.expect(
                    MessageReceived,
                    "shop",
                    lambda event, wanted=message_id: event.data.message_id == wanted,
                    after=after,
                )
            later = [one.event for one in gateway.backend.arrivals[after:]]
            assert not [event for event in later if isinstance(event, MessageUndecryptable)]
            await gateway.send("shop", ADA, "after")
            assert [message.text for message in ada.inbox] == ["before", "after"]
