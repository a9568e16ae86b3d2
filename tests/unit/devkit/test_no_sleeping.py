"""Tests wait for what they want; where real time has to pass, one of two helpers says why."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
HELPERS = {TESTS / "support" / name for name in ("eventually.py", "pacing.py")}
MEASURING = TESTS / "bench"
"""A bench is no test: what it measures is time."""
SLEEPERS = frozenset({"asyncio", "time", "anyio"})


def sleeps(source: str) -> list[int]:
    """Return the lines that name a `sleep`, unless they only let the event loop turn once."""
    tree = ast.parse(source)
    turns = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and [ast.unparse(argument) for argument in node.args] == ["0"]
        and ast.unparse(node.func) == "asyncio.sleep"
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and _is_sleep(node) and id(node) not in turns)
        or (isinstance(node, ast.ImportFrom) and "sleep" in {name.name for name in node.names})
    ]


def _is_sleep(node: ast.Attribute) -> bool:
    return node.attr == "sleep" and ast.unparse(node.value) in SLEEPERS


@pytest.mark.parametrize(
    "source",
    [
        "await asyncio.sleep(0.1)",
        "await asyncio.sleep(delay)",
        "await asyncio.sleep(0 if odd else 1)",
        "time.sleep(0)",
        "stack.push_async_callback(asyncio.sleep, 1)",
        "from asyncio import sleep",
        "from time import monotonic, sleep",
    ],
)
def test_a_sleep_is_found(source: str) -> None:
    """However it is written."""
    assert sleeps(source) == [1]


def test_a_turn_of_the_loop_is_none() -> None:
    """It takes no time."""
    assert sleeps("await asyncio.sleep(0)\nawait pace(0.1)\nengine.sleep(3)") == []


def test_no_test_sleeps() -> None:
    """It uses `eventually`, or says with `pace` or `consistently` why time has to pass."""
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        if path not in HELPERS and MEASURING not in path.parents
        if "sleep" in (source := path.read_text())  # to read it as Python takes much longer
        for line in sleeps(source)
    ]
    assert found == []
