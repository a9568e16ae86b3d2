"""A worker dies while a file is on its way: it is sent once."""

from pathlib import Path

from gateway_contracts import CommandSucceeded
from gateway_worker.sandbox.service.fault_rules import Delay, Point, Rule, Who
from tests.e2e.harness import Gateway
from tests.support.eventually import eventually
from tests.support.web import answer, file_server

BODY = bytes(range(256)) * 1_000


async def test_a_worker_that_dies_while_it_uploads_sends_once(gateway: Gateway, name: str) -> None:
    """The upload is made anew, and no file stays on the disk."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    faults = gateway.sandbox.service.faults
    faults.add(
        Rule(
            id="hang", point=Point.MEDIA_PUT, who=Who(number=shop.number), effect=Delay(seconds=600)
        )
    )
    async with file_server({"/a": answer(BODY)}) as server:
        url = f"http://127.0.0.1:{server.port}/a"
        command = gateway.document(name, ada.number, url)
        await gateway.backend.publish(command)
        await eventually(
            lambda: (found := faults.find("hang")) and found.applied, timeout_seconds=30
        )
        await gateway.worker.kill()
        faults.remove("hang")
        left = _left(gateway.worker.data_dir / "sessions" / name)
        await gateway.worker.start()
        outcome = await gateway.backend.outcome(command.id)
    await gateway.send(name, ada.number, "the end")

    assert left
    assert isinstance(outcome, CommandSucceeded)
    first, second = [await ada.next_message(timeout=30) for _ in range(2)]
    assert await ada.media_bytes(first) == BODY
    assert second.text == "the end"
    assert not _left(gateway.worker.data_dir / "sessions" / name)


def _left(directory: Path) -> list[Path]:
    """Return what files on their way have left below a directory."""
    return list(directory.glob("**/outgoing/*"))
