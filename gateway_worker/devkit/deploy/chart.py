"""The Helm chart as Kubernetes would get it."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from gateway_worker.devkit.deploy.tools import CHECKOUT, helm

CHART: Final = CHECKOUT / "deploy/helm/gateway-worker"
VALUES: Final = tuple(sorted((CHART / "ci").glob("*-values.yaml")))
"""Three ways to fill it in; together they use every value."""
RELEASE: Final = "gateway"
NAMESPACE: Final = "messaging"

Manifest = dict[str, Any]


class ChartError(Exception):
    """Helm refuses the chart or its values; the text is Helm's."""


def lint(values: Path) -> None:
    """Have Helm judge the chart. Raises `ChartError`."""
    _helm("lint", "--strict", str(CHART), "--values", str(values))


def template(values: Path, *arguments: str) -> str:
    """Render the chart. Raises `ChartError`."""
    return _helm(
        *("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", str(values)),
        *arguments,
    )


@cache
def manifests(values: Path) -> tuple[Manifest, ...]:
    """Render the chart, once for each file of values. Raises `ChartError`."""
    documents = yaml.safe_load_all(template(values))
    return tuple(document for document in documents if document is not None)


def oldest_kubernetes() -> str:
    """Return the oldest version of Kubernetes that the chart takes."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    return str(chart["kubeVersion"]).removeprefix(">=").removesuffix(".0-0")


def _helm(*arguments: str) -> str:
    done = subprocess.run([helm(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ChartError(f"{done.stdout}{done.stderr}".strip())
    return done.stdout
