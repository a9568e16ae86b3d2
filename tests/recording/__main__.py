"""Records the story on a gateway of its own and writes it into `docs/`."""

import asyncio
import os
import tempfile
from functools import partial
from pathlib import Path

from gateway_worker.devkit.gateway.running import local_gateway
from gateway_worker.devkit.services import LaunchOptions
from gateway_worker.sandbox.phones.phone import Phone
from tests.recording.picture import picture
from tests.recording.story import record
from tests.recording.terminal import Recording

DOCS = Path(__file__).parents[2] / "docs"
SHOP, ADA = "12025550100", "12025550101"


async def main() -> None:
    """Record it."""
    with tempfile.TemporaryDirectory() as directory:
        opening = local_gateway(LaunchOptions(), worker_id="local", directory=Path(directory))
        async with opening as gateway:
            phone = await gateway.sandbox.add_phone(SHOP, push_name="Corner Shop")
            await gateway.sandbox.add_phone(ADA, push_name="Ada")
            await gateway.worker.start()
            write(await _recorded(gateway.addresses.amqp_url, phone))


async def _recorded(amqp_url: str, phone: Phone) -> Recording:
    environment = {**os.environ, "CTL_AMQP_URL": amqp_url}
    scan = partial(_scan, phone)
    return await record(environment=environment, session="shop", to=ADA, scan=scan)


async def _scan(phone: Phone, code: str) -> None:
    await phone.scan(code)


def write(recording: Recording) -> None:
    """Write the recording and its picture."""
    (DOCS / "first-message.cast").write_text(recording.to_cast())
    (DOCS / "first-message.svg").write_text(picture(recording.lines))


if __name__ == "__main__":
    asyncio.run(main())
