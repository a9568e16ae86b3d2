"""The words in which a dashboard is described."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CHOSEN: Final = '{instance=~"$worker"}'
"""The series of the workers that are looked at."""


class Unit(StrEnum):
    """Units, by Grafana's names."""

    NUMBER = "short"
    SECONDS = "s"
    BYTES = "bytes"
    SHARE = "percentunit"
    PERCENT = "percent"
    PER_SECOND = "ops"


@dataclass(frozen=True, slots=True)
class Query:
    """One line of a panel.

    Attributes:
        expr: In PromQL. `$worker` and `$__rate_interval` are filled in by Grafana.
        legend: What the line is called; `{{label}}` is filled in.
    """

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture.

    Attributes:
        title: What it shows.
        queries: Its lines.
        unit: Of all of them.
        is_figure: Whether the last value is shown as a figure, in place of lines.
        about: What a person should know to read it.
    """

    title: str
    queries: Sequence[Query]
    unit: Unit = Unit.NUMBER
    is_figure: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that belong together."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard.

    Attributes:
        uid: Its name in Grafana and of its file.
        title: Its name for people.
        about: What it is looked at for.
        rows: What is on it.
        has_workers: Whether workers can be chosen, by `$worker`.
    """

    uid: str
    title: str
    about: str
    rows: Sequence[Row]
    has_workers: bool = False

    def queries(self) -> Iterator[tuple[Panel, Query]]:
        """Yield all that it asks Prometheus for."""
        for row in self.rows:
            for panel in row.panels:
                for query in panel.queries:
                    yield panel, query


def rate(series: str, *, by: str = "") -> str:
    """Return how many a second there were of a counter, of all workers together or by a label."""
    labels = f" by ({by}) " if by else ""
    return f"sum{labels}(rate({series}[$__rate_interval]))"


def figure(title: str, expr: str, unit: Unit = Unit.NUMBER, about: str = "") -> Panel:
    """Return a panel with one figure."""
    return Panel(title, [Query(expr)], unit, is_figure=True, about=about)


def lines(title: str, unit: Unit, *queries: tuple[str, str], about: str = "") -> Panel:
    """Return a panel of lines, each an expression and its legend."""
    return Panel(title, [Query(*query) for query in queries], unit, about=about)


def each_worker(title: str, unit: Unit, metric: str, about: str = "") -> Panel:
    """Return a panel with a line for each of the workers that are looked at."""
    return lines(title, unit, (f"{metric}{CHOSEN}", "{{instance}}"), about=about)


def rates(title: str, series: str, *, by: str) -> Panel:
    """Return a panel of how many a second there were of a counter, with a line for each label."""
    return lines(title, Unit.PER_SECOND, (rate(series, by=by), f"{{{{{by}}}}}"))


def percentiles(title: str, histogram: str, *, by: str = "", about: str = "") -> Panel:
    """Return a panel with the percentiles of a histogram in seconds.

    Args:
        title: What it shows.
        histogram: Its name, and what chooses its series: `gateway_x_seconds{…}`.
        by: A label by which it is split; then only the 95th percentile is shown.
        about: What a person should know to read it.
    """
    name, _, rest = histogram.partition("{")
    series = f"{name}_bucket" + (f"{{{rest}" if rest else "")
    labels = f"le, {by}" if by else "le"
    wanted = (0.95,) if by else (0.5, 0.95, 0.99)
    return lines(
        title,
        Unit.SECONDS,
        *(
            (
                f"histogram_quantile({part}, sum by ({labels}) (rate({series}[$__rate_interval])))",
                f"{{{{{by}}}}}" if by else f"p{part * 100:.0f}",
            )
            for part in wanted
        ),
        about=about,
    )
