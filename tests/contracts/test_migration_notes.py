"""The notes for those who come from webhooks name what there is."""

import re
from pathlib import Path

from gateway_contracts.spec.catalog import COMMANDS, EVENTS

NOTES = (Path(__file__).parents[2] / "docs/migrating.md").read_text("utf-8")


def rows(columns: int) -> list[list[str]]:
    """Return the cells of the peers' tables that have so many columns, without their heads."""
    tables = NOTES.partition("## Evolution API")[2]
    lines = [line.strip() for line in tables.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return [row for row in cells if len(row) == columns]


def named(cell: str) -> set[str]:
    """Return the names in a cell that have a family, as types have."""
    return set(re.findall(r"`([a-z_]+\.[a-z_]+)`", cell))


def test_events_and_commands_are_types_of_the_contract() -> None:
    """Each that stands on the right."""
    events = {kind.removeprefix("wa.").removesuffix(".v1") for kind in EVENTS}
    commands = {kind.removeprefix("wa.").removesuffix(".v1") for kind in COMMANDS}
    of_events, of_commands = rows(3), rows(2)
    assert len(of_events) > 30
    assert len(of_commands) > 15
    for _, here, _ in of_events:
        assert named(here) <= events, here
    for _, here in of_commands:
        assert named(here), here
        assert named(here) <= commands, here
