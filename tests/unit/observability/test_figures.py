"""Rules and dashboards ask for nothing that a worker does not tell."""

from collections.abc import Iterator
from dataclasses import fields

import pytest
from prometheus_client import Counter, Gauge, Histogram, Info

from gateway_worker.devkit.dashboards.grafana import BOARDS
from gateway_worker.metrics import Metrics, make_metrics
from tests.support.prometheus import RULES, alerts, rules_in
from tests.support.promql import Use, grouped_by, uses

TARGET = frozenset({"job", "instance"})
"""Labels that Prometheus gives to whatever it scrapes."""


def exported() -> dict[str, frozenset[str]]:
    """Return every series of a worker by name, with its labels; and what Prometheus adds."""
    metrics = make_metrics(versions={"worker": "1.2.3"})
    found = {name: labels | TARGET for name, labels in _own(metrics)}
    for family in metrics.registry.collect():
        if not family.name.startswith("gateway"):
            found |= {one.name: frozenset(one.labels) | TARGET for one in family.samples}
    return found | {"up": TARGET}


def _own(metrics: Metrics) -> Iterator[tuple[str, frozenset[str]]]:
    for field in fields(metrics):
        instrument = getattr(metrics, field.name)
        if not isinstance(instrument, Counter | Gauge | Histogram | Info):
            continue
        name, labels = instrument._name, frozenset(instrument._labelnames)
        match instrument:
            case Counter():
                yield f"{name}_total", labels
            case Histogram():
                yield f"{name}_bucket", labels | {"le"}
                yield from ((f"{name}_{part}", labels) for part in ("count", "sum"))
            case Info():
                yield f"{name}_info", labels
            case _:
                yield name, labels


def recorded() -> set[str]:
    """Return the names that rules give."""
    return {rule["record"] for rule in rules_in(RULES / "recording.yaml")}


EXPRESSIONS = (
    *(pytest.param(rule["expr"], id=name) for name, rule in alerts().items()),
    *(pytest.param(rule["expr"], id=rule["record"]) for rule in rules_in(RULES / "recording.yaml")),
    *(
        pytest.param(query.expr, id=f"{board.uid}-{panel.title}-{query.legend}")
        for board in BOARDS
        for panel, query in board.queries()
    ),
)


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_every_figure_is_told_by_workers(expr: str) -> None:
    """By its name, and with the labels by which it is chosen and grouped."""
    known, rules = exported(), recorded()
    found = list(uses(expr))

    assert found
    assert {use.name for use in found} <= known.keys() | rules
    labels = set[str]()
    for use in found:
        if use.name in known:
            assert use.labels <= known[use.name], use
            labels |= known[use.name]
    assert grouped_by(expr) <= labels


def test_what_is_asked_for_is_found() -> None:
    """The look at expressions sees names, labels and groups, and nothing in strings."""
    expr = (
        'sum by (le, kind) (rate(gateway_a_bucket{reason=~"x|up{y=1}",kind!="z"}[5m]))'
        " / clamp_min(gateway:b:ratio, 1)"
    )

    assert list(uses(expr)) == [
        Use(name="gateway_a_bucket", labels=frozenset({"reason", "kind"})),
        Use(name="gateway:b:ratio", labels=frozenset()),
    ]
    assert grouped_by(expr) == {"le", "kind"}
