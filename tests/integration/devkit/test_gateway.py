"""The gateway for whoever writes a backend: the lines that it prints are pasted as they are."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from gateway_worker.devkit.gateway.__main__ import PHONES, SESSION
from gateway_worker.devkit.gateway.instructions import instructions
from gateway_worker.devkit.services import ObjectStore, Services
from tests.support.services import SharedServices, random_name

CHECKOUT = Path(__file__).parents[3]
LAST_LINE = "Everything stays up until Ctrl-C"
GUIDE = CHECKOUT / "docs/first-message.md"
PATIENCE_SECONDS = 200


@pytest.fixture
def environment(
    shared: SharedServices, services: Services, database_url: str, s3: ObjectStore
) -> dict[str, str]:
    """Return an environment that names services, with a virtual host for one gateway."""
    given = Services(
        amqp_url=shared.add_vhost(random_name()),
        database_url=database_url,
        redis_url=services.redis_url,
        s3=s3,
    )
    return {**os.environ, **given.environment()}


def shell(line: str, **options: Any) -> "subprocess.Popen[str]":
    """Start a line in the checkout, as if it had been pasted into a terminal there."""
    process: subprocess.Popen[str] = subprocess.Popen(
        ["sh", "-c", f"exec {line}"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
    return process


@contextmanager
def running(line: str, environment: dict[str, str]) -> Iterator[list[str]]:
    """Yield the lines that a command has printed when it says that it stays up."""
    with shell(line, env=environment) as process:
        try:
            yield list(up_to(LAST_LINE, process.stdout))
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            process.kill()


def up_to(text: str, stream: IO[str] | None) -> Iterator[str]:
    """Yield lines up to the one that has a text; fails if none does."""
    assert stream is not None
    for line in stream:
        yield line.rstrip("\n")
        if text in line:
            return
    pytest.fail(f"the output ended before {text!r}")


def pasted(line: str) -> list[dict[str, object]]:
    """Run a line to its end; return what it printed."""
    with shell(line) as process:
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, line
    return [json.loads(one) for one in output.splitlines()]


def told(line: str) -> str:
    """Run a line to its end; return what it said."""
    with shell(line) as process:
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    return output


@contextmanager
def reading(line: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a line that reads events, from when it does until the block ends."""
    with shell(line, stderr=subprocess.PIPE) as process:
        try:
            list(up_to("reading events", process.stderr))
            yield process
        finally:
            process.kill()


@pytest.mark.timeout(500)
def test_the_guide_leads_to_a_message_and_an_answer(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """At the gateway that it starts; the lines that this prints are those that the demo prints."""
    guide = [
        re.sub(r"(\./dev (?:run --sandbox|talk|ctl))", rf"\1 --data {tmp_path}", line)
        for block in re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    with running(guide[0], environment) as printed:
        phone, contact = PHONES
        assert _lines(printed) == _instructions(tmp_path, SESSION, phone, contact)
        _follow_the_guide(*guide[1:])
    assert not (tmp_path / "gateway.json").exists()


def _follow_the_guide(
    create: str, scan: str, send: str, inbox: str, backend: str, say: str, inbox_again: str
) -> None:
    """Paste its lines one after the other; only where the gateway's data are was added."""
    with shell(create) as linking:
        list(up_to("scan it before", linking.stdout))
        pasted(scan)
        list(up_to("connected", linking.stdout))
        assert linking.wait(PATIENCE_SECONDS) == 0
    told(send)
    assert [one["text"] for one in pasted(inbox)] == ["Your order is ready."]
    with shell(f"env {backend}") as answering:
        try:
            list(up_to("connected", answering.stdout))
            pasted(say)
            list(up_to("command.succeeded", answering.stdout))
        finally:
            answering.kill()
    assert [one["text"] for one in pasted(inbox_again)][-1] == "You wrote: Are you open?"


@pytest.mark.timeout(500)
def test_the_printed_lines_work(environment: dict[str, str], tmp_path: Path) -> None:
    """A phone that the demo has left is linked, writes and is written to."""
    with running(f"./dev demo --keep --data-dir {tmp_path}", environment) as printed:
        events, create, scan, send, inbox, say, ctl_send, ctl_tail = _lines(printed)
        contact, phone = inbox.split()[-1], scan.split()[-1]
        assert _lines(printed) == _instructions(tmp_path, "bakery", phone, contact)
        _assert_a_conversation(events, create, scan, send, inbox, say)
        assert "message_id" in told(ctl_send)
        with reading(f"{ctl_tail} --type message.received") as process:
            pasted(say)
            list(up_to("Are you open?", process.stdout))
    assert not (tmp_path / "gateway.json").exists()


def _instructions(data: Path, session: str, phone: str, contact: str) -> list[str]:
    steps = instructions(data=data, session=session, phone=phone, contact=contact)
    return [step.line for step in steps]


def _lines(printed: list[str]) -> list[str]:
    """Return what can be pasted of what a command has printed."""
    assert any("control URL  http://127.0.0.1:" in line for line in printed)
    assert sum(line.startswith("phone ") for line in printed) >= 2
    return [line for line in printed if line.startswith("./dev ")]


def _assert_a_conversation(
    events: str, create: str, scan: str, send: str, inbox: str, say: str
) -> None:
    """A code is scanned, a command published, a text got and sent, and all of it is an event."""
    with reading(events) as process:
        assert pasted(create)[0]["type"] == "wa.command.succeeded.v1"
        assert pasted(scan)[0]["device"]
        assert pasted(send)[0]["type"] == "wa.command.succeeded.v1"
        assert [one["text"] for one in pasted(inbox)][-1] == "Your order is ready."
        assert pasted(say)[0]["message_id"]
        kinds = [json.loads(line)["type"] for line in up_to("Are you open?", process.stdout)]
    assert {"wa.session.qr.v1", "wa.message.receipt.v1"} <= set(kinds)
    assert kinds[-1] == "wa.message.received.v1"


def test_without_a_gateway_the_lines_say_how_to_start_one(tmp_path: Path) -> None:
    """Instead of a connection error."""
    with shell(f"./dev talk --data {tmp_path} events", stderr=subprocess.PIPE) as process:
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert "./dev run --sandbox" in said
