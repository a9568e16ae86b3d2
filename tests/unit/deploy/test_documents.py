"""What the documents for operators name is there: figures."""

import re
from pathlib import Path

import pytest

from gateway_worker.devkit.deploy.tools import CHECKOUT
from gateway_worker.metrics import make_metrics

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", ".github/SECURITY.md", "deploy/**/*.md")
    for path in CHECKOUT.glob(pattern)
    if path.name != "CHANGELOG.md"  # it tells of what there was
)
FIGURE = re.compile(r"`(gateway_[a-z0-9_]+)[`{]")
PACKAGES = {"gateway_contracts", "gateway_worker"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_figure_that_is_named_is_told(document: Path) -> None:
    """At `/metrics`, under that name."""
    told = set[str]()
    for family in make_metrics(versions={"worker": "1"}).registry.collect():
        told |= {family.name, f"{family.name}_total", *(each.name for each in family.samples)}

    assert set(FIGURE.findall(document.read_text())) - PACKAGES - told == set()
