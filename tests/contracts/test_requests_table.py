"""README's table of requests: every command of the contract, and every result."""

import re
from pathlib import Path

from gateway_contracts import Result
from gateway_contracts.spec.catalog import COMMANDS
from gateway_contracts.unions import members

TEXT = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def rows() -> list[tuple[str, list[str]]]:
    """Return the command and the results of each row."""
    section = TEXT.split("\n## Requests\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| `([a-z_.]+)` \| [^|]+ \| (`[`\w, ]+`) \|$", section, re.MULTILINE)
    return [(command, re.findall(r"\w+", kinds)) for command, kinds in found]


def test_it_has_each_command_once() -> None:
    """And no others."""
    names = sorted(name.removeprefix("wa.").removesuffix(".v1") for name in COMMANDS)
    assert sorted(command for command, _ in rows()) == names


def test_it_has_each_result() -> None:
    """And no others."""
    assert {kind for _, kinds in rows() for kind in kinds} == set(members(Result, "kind"))
