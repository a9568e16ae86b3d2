"""What README tells people to type is typed."""

import base64
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_contracts import MessageSend, parse_command
from tests.support.eventually import eventually

CHECKOUT = Path(__file__).parents[2]
TEXTS = {
    name: (CHECKOUT / name).read_text()
    for name in ("README.md", "contracts/README.md", ".github/CONTRIBUTING.md")
}
PROGRAMS = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def blocks(name: str, language: str) -> list[str]:
    """Return the fenced blocks of a language in a text."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[name], re.MULTILINE | re.DOTALL)


def typed(line: str, environment: dict[str, str]) -> "subprocess.Popen[str]":
    """Start a line, comment included, in a shell that finds the environment's programs."""
    return subprocess.Popen(
        ["sh", "-c", f"exec {line}"],
        cwd=CHECKOUT,
        env={**environment, "PATH": PROGRAMS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.timeout(120)
async def test_the_commands_of_an_operator(
    environment: dict[str, str], blank_database_url: str, tmp_path: Path
) -> None:
    """One after the other, on an empty database; the worker is stopped once it has started."""
    key = base64.b64encode(bytes(32)).decode()
    settings = environment | {
        "DATABASE_URL": blank_database_url,
        "DATA_DIR": str(tmp_path / "data"),
        "HEALTH_PORT": "0",
        "LOG_FILE": str(tmp_path / "log"),
        "SNAPSHOT_KEYS": f"k:{key}",
    }
    lines = [
        line
        for block in blocks("README.md", "sh")
        for line in block.splitlines()
        if line.startswith("gateway-worker ")
    ]
    assert {line.split()[1] for line in lines} == {"migrate", "run", "ctl"}
    for line in lines:
        (tmp_path / "log").touch()
        with typed(line, settings) as process:
            if line.split()[1] == "run":
                await eventually(
                    lambda: "worker.started" in (tmp_path / "log").read_text(),
                    timeout_seconds=60,
                    reason="the worker has started",
                )
                process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, f"{line}\n{output}"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("README.md", "python -m pydoc gateway_worker.sandbox"),
        ("README.md", "gateway-worker check"),
        ("contracts/README.md", "python -m gateway_contracts.export --check"),
        (
            "contracts/README.md",
            "python -m gateway_contracts.export --out DIR --prefix NAME --vhost NAME",
        ),
    ],
)
def test_commands_in_the_text(
    name: str, line: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """They stand there, as a whole or in parts, and do what they are said to do."""
    program, *options = line.split(" --")
    assert program in TEXTS[name]
    assert all(f"--{option}" in TEXTS[name] for option in options)
    typing = line.replace("DIR", str(tmp_path)).replace("NAME", "fleet")
    with typed(typing, environment) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output


def test_the_command_that_is_shown_is_one() -> None:
    """A backend may publish it as it stands."""
    (shown,) = blocks("README.md", "json")
    command = parse_command(shown.encode())
    assert isinstance(command, MessageSend)
    assert command.subject == "acme-support"


def test_no_block_is_of_a_kind_that_nothing_runs() -> None:
    """Whoever adds a language has its blocks run."""
    for name, text in TEXTS.items():
        opened = re.findall(r"^```(\w*)\n.*?^```", text, re.MULTILINE | re.DOTALL)
        assert set(opened) <= {"", "sh", "json", "python"}, name
