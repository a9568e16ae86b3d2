"""Fixtures of the tests of the WhatsApp hosts."""

from pathlib import Path
from typing import Any

import pytest

from gateway_worker.whatsapp.host.spool import Spool
from tests.unit.whatsapp.spools import SEGMENT, OpenSpool


@pytest.fixture(name="open_spool")
def fixture_open_spool(tmp_path: Path) -> OpenSpool:
    """Return a way to open the test's spool."""

    def opener(**values: Any) -> Spool:
        defaults = {"limit_bytes": 10**6, "segment_bytes": SEGMENT, "sync": False}
        return Spool.open(directory=tmp_path, **defaults | values)

    return opener
