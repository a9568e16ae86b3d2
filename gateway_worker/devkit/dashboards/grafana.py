"""Makes Grafana's JSON of a described dashboard."""

import json
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    VariableRefresh,
    VariableSort,
)

from gateway_worker.devkit.dashboards.board import Board, Panel, Query
from gateway_worker.devkit.dashboards.broker import BROKER
from gateway_worker.devkit.dashboards.delivery import DELIVERY
from gateway_worker.devkit.dashboards.fleet import FLEET
from gateway_worker.devkit.dashboards.session import SESSION
from gateway_worker.devkit.dashboards.worker import WORKER

BOARDS: Final = (FLEET, WORKER, SESSION, DELIVERY, BROKER)

_PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
_GRID: Final = 24
_FIGURE_HEIGHT: Final = 4
_LINES_HEIGHT: Final = 8
_LINES_IN_A_ROW: Final = 2


def rendered(board: Board) -> str:
    """Return a dashboard as the text of a file, the same each time."""
    built = json.loads(JSONEncoder().encode(_dashboard(board).build()))
    return json.dumps(built, indent=2, sort_keys=True) + "\n"


def _dashboard(board: Board) -> grafana.Dashboard:
    made = (
        grafana.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["gateway", "generated"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            grafana.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
    )
    if board.has_workers:
        made = made.with_variable(_workers())
    for row in board.rows:
        made = made.with_row(grafana.Row(row.title))
        figures = sum(panel.is_figure for panel in row.panels)
        for panel in row.panels:
            span = _GRID // figures if panel.is_figure else _GRID // _LINES_IN_A_ROW
            made = made.with_panel(_panel(panel, span))
    return made


def _workers() -> grafana.QueryVariable:
    return (
        grafana.QueryVariable("worker")
        .label("Worker")
        .datasource(_PROMETHEUS)
        .query("label_values(gateway_capacity_sessions, instance)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)  # noqa: FBT003 - the SDK's way
        .include_all(True)  # noqa: FBT003
        .all_value(".+")
    )


def _panel(panel: Panel, span: int) -> Any:
    made: stat.Panel | timeseries.Panel
    if panel.is_figure:
        made = stat.Panel().height(_FIGURE_HEIGHT)
    else:
        made = timeseries.Panel().height(_LINES_HEIGHT).min(0)
    made = made.title(panel.title).unit(panel.unit.value).span(span).datasource(_PROMETHEUS)
    if panel.about:
        made = made.description(panel.about)
    for number, query in enumerate(panel.queries):
        made = made.with_target(_target(query, chr(ord("A") + number), is_instant=panel.is_figure))
    return made


def _target(query: Query, ref_id: str, *, is_instant: bool) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).ref_id(ref_id).datasource(_PROMETHEUS)
    if query.legend:
        made = made.legend_format(query.legend)
    return made.instant() if is_instant else made.range()
