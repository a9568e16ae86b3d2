"""An operator lives through a session by typing: everything over the contract, as a backend."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway_contracts import SessionQr
from gateway_worker.devkit.services.process import base_environment
from tests.e2e.harness import Gateway
from tests.support.commands import Answer, Commands
from tests.support.eventually import eventually

NOBODY = "+12025559999"


@pytest.mark.timeout(300)
async def test_a_session_from_the_command_line(
    gateway: Gateway, name: str, commands: Commands, tmp_path: Path
) -> None:
    """Created, followed to connected, written with, read, told of, sent to many, deleted."""
    environment = {**base_environment(), **gateway.environment}
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()

    async def ctl(*words: str, code: int = 0) -> Answer:
        answer = await commands.run(environment, tmp_path, "ctl", *words)
        assert answer.code == code, (words, answer)
        return answer

    looking = asyncio.create_task(_heard(ctl))
    following = asyncio.create_task(ctl("create", name, "--json", "--timeout", "120"))
    qr = await gateway.backend.expect(SessionQr, name)
    await phone.scan(qr.data.code)
    told = [json.loads(line) for line in (await following).out.splitlines()]
    assert {one["type"] for one in told} == {"wa.session.qr.v1", "wa.session.status.v1"}
    assert told[-1]["data"]["state"] == "connected"
    again = await ctl("create", name, "--json", code=1)
    assert again.json["error"]["code"] == "session_exists"

    sent = (await ctl("send", name, ada.number, "Hello Ada", "--json")).json
    shown = await ada.next_message(timeout=60)
    assert (shown.text, shown.message_id) == ("Hello Ada", sent["message_id"])
    (tmp_path / "invoice.txt").write_text("42")
    invoice = str(tmp_path / "invoice.txt")
    await ctl("send", name, ada.number, "The invoice", "--file", invoice)
    assert (await ada.next_message(timeout=60)).text == "The invoice"
    poll = ("When?", "--kind", "poll", "-f", 'options:=["Today","Tomorrow"]')
    await ctl("send", name, ada.number, *poll)
    await ada.next_message(timeout=60)

    await _tell(ctl, ada, phone.number, name)
    history = (await ctl("history", name, "--text", "--oldest", "--json")).json
    out = [one["content"]["kind"] for one in history if one["direction"] == "out"]
    assert out == ["text", "document", "poll"]
    assert "Hello Ada" not in (await ctl("history", name)).out
    assert (await ctl("status", name, "--json")).json["state"] == "connected"
    await ctl("broker", "add-backend", "hand")  # and with queues of its own, as a backend has them
    own = await ctl("--service", "hand", "status", name, "--json")
    assert own.json["state"] == "connected"
    listed = (await ctl("sessions", "--state", "connected", "--json")).json
    assert name in {one["session"] for one in listed}
    checked = (await ctl("contact", "check", name, f"+{ada.number}", NOBODY, "--json")).json
    assert [one["on_whatsapp"] for one in checked["contacts"]] == [True, False]

    rows = tmp_path / "rows.csv"
    rows.write_text(f"to,name\n+{ada.number},Ada\n{NOBODY},Nobody\n")
    bulk = (await ctl("bulk", "create", name, str(rows), "Dear {{name}}", "--json", code=1)).json
    assert (bulk["succeeded"], bulk["failed"], bulk["state"]) == (1, 1, "finished")
    assert (await ada.next_message(timeout=60)).text == "Dear Ada"

    assert await looking == [*gateway.workers]
    await ctl("delete", name, "--yes")
    assert "session_not_found" in (await ctl("status", name, code=1)).err


async def _heard(ctl: Any) -> list[str]:
    """Look on until a worker has said something, as it does every 10 seconds."""
    while True:
        seen = (await ctl("top", "--json", "--for", "12")).json
        if seen["workers"]:
            return [one["worker"] for one in seen["workers"]]


async def _tell(ctl: Any, ada: Any, number: str, name: str) -> None:
    """Two look on while somebody writes; only one has asked for what is written."""
    words = ("tail", "--session", name, "--type", "message.received", "--json", "--count", "1")
    watching = [asyncio.create_task(ctl(*words, *more)) for more in ((), ("--text",))]

    async def seen() -> bool:
        await ada.send_text(number, "Are you open?")
        return all(one.done() for one in watching)

    await eventually(seen, timeout_seconds=90, reason="both have seen a message")
    without, with_text = [(await one).json for one in watching]
    assert (without["data"]["content"]["kind"], without["data"]["content"]["text"]) == (
        *("text", "(hidden)"),
    )
    assert with_text["data"]["content"]["text"] == "Are you open?"
