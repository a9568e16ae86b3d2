"""`.env.example` is the documentation of all settings: complete, true to the defaults, usable."""

import re
from pathlib import Path

import pytest

from gateway_worker.config import load_settings
from gateway_worker.config.settings import default_text, is_secret
from gateway_worker.config.variables import VARIABLES

EXAMPLE = Path(__file__).parents[3] / ".env.example"
LINES = EXAMPLE.read_text().splitlines()
REQUIRED = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
OPTIONAL = dict(re.findall(r"^#([A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def test_every_variable_is_there_in_the_order_of_the_table() -> None:
    """Each once, none that does not exist."""
    names = [match[1] for line in LINES if (match := re.match(r"#?([A-Z0-9_]+)=", line))]

    assert sorted(names) == sorted(variable.name for variable in VARIABLES)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: str(variable.name))
def test_what_has_a_default_shows_it(variable: object) -> None:
    """Optional variables are commented out with their default, required ones have an example."""
    (found,) = [each for each in VARIABLES if each is variable]
    default = default_text(found)

    if default is None:
        assert found.name in REQUIRED
    else:
        assert OPTIONAL[found.name] == default


def test_every_variable_is_described() -> None:
    """Every block with variables opens with prose."""
    for block in EXAMPLE.read_text().split("\n\n"):
        if re.search(r"^#?[A-Z0-9_]+=", block, re.MULTILINE):
            assert block.startswith("# "), block


def test_the_example_can_be_used_as_it_stands() -> None:
    """Its required values are valid, and no real secret is among them."""
    settings = load_settings(REQUIRED)

    assert settings.broker.prefix == "wa"
    assert all(
        "change-me" in REQUIRED[variable.name]
        for variable in VARIABLES
        if is_secret(variable) and variable.name in REQUIRED
    )
