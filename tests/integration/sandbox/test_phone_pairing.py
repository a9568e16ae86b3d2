"""Simulated phones link, use and unlink the real library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.phones.errors import WrongCodeError
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.errors import PairingRefusedError
from gateway_worker.sandbox.settings import SandboxSettings
from tests.support.neonize_client import NeonizeClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Open a sandbox; afterwards nothing must have tried to leave the machine."""
    async with Sandbox.open(SandboxSettings()) as sandbox:
        yield sandbox
        assert sandbox.egress_attempts == ()


async def test_a_scanned_qr_links_the_library(sandbox: Sandbox, tmp_path: Path) -> None:
    """It connects, is listed, is unlinked from the phone, and knows it."""
    anna = await sandbox.add_phone("4915550001", push_name="Anna")
    async with NeonizeClient.start(env=sandbox.worker_env, store=tmp_path / "a.db") as client:
        qr = await client.wait_for("qr")

        companion = await anna.scan(qr["text"])

        connected = await client.wait_for("connected")
        assert connected["jid"] == str(companion.number)
        assert connected["lid"] == str(companion.device)
        assert anna.companions == (companion.device,)
        with pytest.raises(PairingRefusedError):
            await anna.scan(qr["text"])

        anna.unlink(companion)

        await client.wait_for("logged_out", on_connect=False)
        assert not anna.companions


async def test_an_entered_code_links_the_library(sandbox: Sandbox, tmp_path: Path) -> None:
    """A wrong code is noticed by the phone; the right one links."""
    anna = await sandbox.add_phone("4915550001", push_name="Anna")
    async with NeonizeClient.start(env=sandbox.worker_env, store=tmp_path / "a.db") as client:
        await client.wait_for("qr")
        code = await client.do("pair_code", number=anna.number)
        assert len(code) == 9
        wrong = "1" * 8 if code[0] != "1" else "2" * 8
        with pytest.raises(WrongCodeError):
            await anna.enter_code(wrong)

        companion = await anna.enter_code(code.lower())

        connected = await client.wait_for("connected")
        assert connected["jid"] == str(companion.number)
