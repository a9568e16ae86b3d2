"""Workers die and sessions move while a file is on its way: it is sent once, in its place."""

import asyncio
from pathlib import Path

from gateway_contracts import (
    CommandSucceeded,
    MessageSend,
    MessageSendData,
    SessionMigrate,
    SessionMigrateData,
)
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.fault_rules import Delay, Point, Rule, Who
from tests.e2e.fleet import open_fleet
from tests.e2e.harness import ADA, SHOP, Gateway
from tests.support.eventually import eventually
from tests.support.web import answer, file_server

BODY = bytes(range(256)) * 1_000


def document(source: str, url: str) -> MessageSend:
    """Return the command that sends a file to Ada."""
    content = {"kind": "document", "file_name": "a", "media": {"source": "url", "url": url}}
    data = MessageSendData.model_validate({"to": ADA, "content": content})
    return MessageSend(source=source, subject="shop", data=data)


async def test_a_worker_that_dies_while_it_uploads_sends_once(gateway: Gateway) -> None:
    """The upload is made anew, and no file stays on the disk."""
    shop, ada = await gateway.sandbox.add_phone(SHOP), await gateway.sandbox.add_phone(ADA)
    await gateway.link("shop", shop)
    faults = gateway.sandbox.service.faults
    faults.add(
        Rule(id="hang", point=Point.MEDIA_PUT, who=Who(number=SHOP), effect=Delay(seconds=600))
    )
    async with file_server({"/a": answer(BODY)}) as server:
        command = document(gateway.backend.source, f"http://127.0.0.1:{server.port}/a")
        await gateway.backend.publish(command)
        await eventually(
            lambda: (found := faults.find("hang")) and found.applied, timeout_seconds=20
        )
        await gateway.worker.kill()
        faults.remove("hang")
        left = _left(gateway.worker.data_dir)
        await gateway.worker.start()
        outcome = await gateway.backend.outcome(command.id)
    await gateway.send("shop", ADA, "the end")

    assert left
    assert isinstance(outcome, CommandSucceeded)
    first, second = [await ada.next_message(timeout=10) for _ in range(2)]
    assert await ada.media_bytes(first) == BODY
    assert second.text == "the end"
    assert not _left(gateway.worker.data_dir)


async def test_a_session_that_moves_takes_its_file_with_it(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> None:
    """The new worker fetches it itself, and what comes after it in its chat stays there."""
    asked: list[asyncio.StreamWriter] = []

    async def first_hangs(writer: asyncio.StreamWriter) -> None:
        asked.append(writer)
        if len(asked) == 1:
            await writer.wait_closed()
        else:
            await answer(BODY)(writer)

    async with (
        open_fleet(sandbox, environment, tmp_path, ("alpha", "beta")) as fleet,
        file_server({"/a": first_hangs}) as server,
    ):
        shop, ada = await sandbox.add_phone(SHOP), await sandbox.add_phone(ADA)
        await fleet.link("shop", shop)
        file = document(fleet.backend.source, f"http://127.0.0.1:{server.port}/a")
        after = fleet.text("shop", ADA, "after")
        for command in (file, after):
            await fleet.backend.publish(command)
        await eventually(lambda: asked, timeout_seconds=20)
        migrate = SessionMigrate(
            source=fleet.backend.source, subject="shop", data=SessionMigrateData()
        )
        assert isinstance(await fleet.backend.request(migrate), CommandSucceeded)
        for command in (file, after):
            assert isinstance(await fleet.backend.outcome(command.id), CommandSucceeded)
        first, second = [await ada.next_message(timeout=10) for _ in range(2)]
        assert await ada.media_bytes(first) == BODY
        assert second.text == "after"
    assert not _left(tmp_path)


def _left(directory: Path) -> list[Path]:
    """Return what files on their way have left below a directory."""
    return list(directory.glob("**/outgoing/*"))
