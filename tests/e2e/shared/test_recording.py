"""The recording that README shows is what happens: an account is linked and a message is sent."""

from pathlib import Path

import pytest

from gateway_worker.devkit.services.process import base_environment
from tests.e2e.harness import Gateway
from tests.recording.picture import picture
from tests.recording.story import TEXT, record
from tests.recording.terminal import Recording, shape

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.timeout(300)
async def test_what_is_recorded_is_what_happens(gateway: Gateway, name: str) -> None:
    """The phone reads the code off the terminal; what is shown has the recording's shape."""
    recorded = Recording.from_cast((DOCS / "first-message.cast").read_text())
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    shown = await record(
        environment={**base_environment(), **gateway.environment},
        session=name,
        to=ada.number,
        scan=phone.scan,
    )
    assert (await ada.next_message(timeout=90)).text == TEXT
    assert shape([line.replace(name, "shop") for line in shown.lines]) == shape(recorded.lines)
    assert (DOCS / "first-message.svg").read_text() == picture(recorded.lines)
