"""Dashboards are what the code says, and can be looked at."""

import json
from collections import Counter

import pytest

from gateway_worker.devkit.dashboards.board import Board
from gateway_worker.devkit.dashboards.grafana import BOARDS, rendered
from tests.support.prometheus import DEPLOY

FILES = DEPLOY / "grafana" / "dashboards"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_file_is_as_the_code_says(board: Board) -> None:
    """`python -m gateway_worker.devkit.dashboards` has been run."""
    assert (FILES / f"{board.uid}.json").read_text() == rendered(board)


def test_there_are_no_other_files() -> None:
    """A dashboard that is gone from the code is gone."""
    assert {path.stem for path in FILES.iterdir()} == {board.uid for board in BOARDS}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_panel_has_its_queries(board: Board) -> None:
    """No title comes twice, no panels overlap, and every query is in the file."""
    panels = [one for one in json.loads(rendered(board))["panels"] if one["type"] != "row"]
    described = [panel for row in board.rows for panel in row.panels]

    assert [one["title"] for one in panels] == [panel.title for panel in described]
    assert max(Counter(panel.title for panel in described).values()) == 1
    asked = [[target["expr"] for target in one["targets"]] for one in panels]
    assert asked == [[query.expr for query in panel.queries] for panel in described]
    places = {
        (x, y)
        for one in panels
        for x in range(one["gridPos"]["x"], one["gridPos"]["x"] + one["gridPos"]["w"])
        for y in range(one["gridPos"]["y"], one["gridPos"]["y"] + one["gridPos"]["h"])
    }
    assert len(places) == sum(one["gridPos"]["w"] * one["gridPos"]["h"] for one in panels)
    assert max(x for x, _ in places) < 24


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_workers_are_chosen_where_that_is_possible(board: Board) -> None:
    """A board without the choice does not ask for it."""
    asks = any("$worker" in query.expr for _, query in board.queries())

    assert asks == board.has_workers
